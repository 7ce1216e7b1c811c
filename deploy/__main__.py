"""`python -m deploy` is `surfpass`: the supervisor starts its children so, whatever PATH is."""

from deploy.supervisor import follow_supervisor

if __name__ == "__main__":
    # Before anything else is imported, which takes its time.
    follow_supervisor()

    from deploy.commands import main

    main()
