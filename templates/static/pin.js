/* Large digits for fingers. Without script the field alone is there, and the tablet's own keyboard. */
"use strict";

const pin = document.getElementById("pin");
const pad = document.querySelector("[data-pad]");

function press(event) {
  const key = event.target.closest("button");
  if (key) {
    pin.value = key.value ? (pin.value + key.value).slice(0, pin.maxLength) : pin.value.slice(0, -1);
  }
}

pad.hidden = false;
// The tablet's keyboard would cover the digits; one with keys goes on working, since the field keeps the focus.
pin.inputMode = "none";
pad.addEventListener("mousedown", (event) => event.preventDefault());
pad.addEventListener("click", press);
