"""The virtual-machine lab: guests with a real kernel, GRUB, systemd and an SR-IOV card, and `fab` run on them."""
