// A large batch is issued in several steps; without this file somebody presses the button for each.
document.getElementById("go-on")?.submit();
