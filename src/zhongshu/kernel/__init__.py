"""The kernel: the words every floor shares and the ports every engine fills. It knows no domain word and imports no one."""
