"""`python -m deploy` is `surfpass`: the supervisor starts its children so, whatever PATH is."""

import signal

if __name__ == "__main__":
    # It asks a supervisor to restart what rolls, and is by default the end of whoever gets it too early, or by mistake.
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)

    from deploy.supervisor import follow_supervisor

    # Before anything else is imported, which takes its time.
    follow_supervisor()

    from deploy.commands import main

    main()
