"""Formats: the texts of files on a host, read as their programs read them. Pure; nothing here does I/O.

`oslo` reads OpenStack's configuration files, `nova` knows what each nova release reads from them,
`nova_options` edits them; `grub` reads what GRUB will hand to the kernel.
"""
