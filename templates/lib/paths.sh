# Where things stand on a host. The functions name these folders by variables, so that a test can give them others.
state=/run/sriov
runs=/var/lib/sriov/runs
restarts_due=/var/lib/sriov/restarts-due
vfs_script=/etc/systemd/system/sriov-vfs.sh
net=/sys/class/net
proc=/proc
dev=/dev
domains=/run/libvirt/qemu
defined=/etc/libvirt/qemu
networks=/run/libvirt/network
