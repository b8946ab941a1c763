"""Stops a training as a signal would."""


def stop_after(calls):
    """Ask to stop when the training has asked that often."""
    asked = []

    def stop():
        asked.append(1)
        return len(asked) > calls

    return stop
