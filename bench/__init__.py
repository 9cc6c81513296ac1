"""The benchmark: Doorward next to nginx on the same machine, in the same run. Not shipped."""
