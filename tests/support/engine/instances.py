"""The instances of the daemons that this process has started and removed: `plugins/late_objects.py` looks for their objects at the end."""

removed: set[str] = set()
