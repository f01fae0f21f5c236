# How a service of nova would load its configuration, told by its own code: nothing is written, and no one is called.
# It runs on the host, by the service's interpreter and as its user: Python 2.7 and later, nova 18 and later.
#   TEXT SERVICE STARTED [PATH NEW]...
# STARTED: the unit's ExecStart. NEW stands in for the file PATH (no link); empty: PATH will be gone.
# Descriptors: 3 the running service's environment, 4 its words, parted by NUL; both empty where it does not run.
# Answer, one line: `ok`, `refused WORDS` (it would not start), `unasked WORDS` (that cannot be told).
from __future__ import unicode_literals

import glob
import os
import re
import sys

service, started, staged = sys.argv[1], sys.argv[2], dict(zip(sys.argv[3::2], sys.argv[4::2]))
secrets = set()
# what a module of the operator's prints is no answer
answer = os.dup(1)
os.dup2(2, 1)


def say(word, text=""):
    # at once: no thread and no hook of a module that was loaded may go on
    line = "%s %s" % (word, " ".join(text.split())[:600])
    os.write(answer, line.encode("ascii", "backslashreplace") + b"\n")
    os._exit(0)


def told(error):
    try:
        text = "%s" % (error,)
    except Exception:
        text = ""
    for value in secrets:
        text = text.replace(value, "***")
    for path, new in staged.items():
        text = text.replace(new or path, path)
    # oslo.config repeats the line of a file that it cannot read: `at FILE:3, REASON: 'password'`
    text = re.sub("(:[0-9]+, .*?): [bu]?['\"].*", r"\1", text, flags=re.DOTALL)
    return "%s: %s" % (type(error).__name__, text)


class Complaints(object):
    # in place of the standard error: what oslo.config says before it ends the program

    text = ""

    def write(self, text):
        self.text += text

    def flush(self):
        pass


def words_of_service():
    with os.fdopen(4, "rb") as file:
        words = [word.decode("utf-8", "replace") if str is not bytes else word for word in file.read().split(b"\0")]
    if any(word.startswith("--config-") for word in words):
        return words
    return started.partition("argv[]=")[2].partition(" ; ")[0].split(" ")


def named_files():
    # `--config-file X`, `--config-file=X` and the same with `--config-dir`, in their order; what is not said at all is
    # searched for, and read first
    from oslo_config import cfg

    named = re.findall("--config-(file|dir)[= \0]([^\0]+)", "\0".join(words_of_service()))
    kinds = [kind for kind, _ in named]
    search = [
        (kind, path)
        for kind, find in (("file", cfg.find_config_files), ("dir", cfg.find_config_dirs))
        if kind not in kinds
        for path in find("nova", service)
    ]
    for kind, path in search + named:
        paths = [path]
        if kind == "dir":
            coming = [name for name in staged if os.path.dirname(name) == os.path.realpath(path)]
            names = {os.path.basename(name) for name in glob.glob(os.path.join(path, "*.conf")) + coming}
            paths = [os.path.join(path, name) for name in sorted(names) if name.endswith(".conf")]
        for file in paths:
            file = staged.get(os.path.realpath(file), file)
            if file:
                yield file


def read_every_option(conf):
    # as the service does when it logs them at its start (`log_opt_values`)
    for group, holder in [("DEFAULT", conf)] + [(name, conf[name]) for name in conf._groups]:
        options = conf._opts if holder is conf else conf._groups[group]._opts
        for name in sorted(options):
            option = options[name]["opt"]
            try:
                value = getattr(holder, name)
            except Exception as error:
                if group in ("pci", "filter_scheduler"):
                    raise
                say("refused", "[%s] %s: %s" % (group, option.name, type(error).__name__))
            if option.secret and hasattr(value, "split") and len(value) > 3:
                secrets.add(value)


def load_whitelist(conf):
    from nova.pci import whitelist

    is_new = "device_spec" in conf._groups["pci"]._opts  # since 26
    return whitelist.Whitelist(conf.pci.device_spec if is_new else conf.pci.passthrough_whitelist).specs


def load_pools(specs):
    # what the resource tracker does with each device, and keeps
    from nova.objects import pci_device_pool
    from nova.pci import stats

    device = {"vendor_id": "0000", "product_id": "0000", "address": "0000:00:00.0", "parent_addr": None}
    ignored = getattr(stats.PciDeviceStats, "ignored_pool_tags", ())
    for spec in specs:
        spec.match(device)
        pool = {"vendor_id": "0000", "product_id": "0000", "numa_node": 0}
        pool.update((key, value) for key, value in spec.get_tags().items() if key not in ignored)
        pool.update(count=1)
        pool.pop("devices", None)
        pci_device_pool.PciDevicePool.from_dict(pool)


def load_filters(conf):
    # `HostManager.__init__`, as far as it asks no one
    from nova.scheduler import filters, host_manager, weights

    chosen = host_manager.HostManager.__new__(host_manager.HostManager)
    classes = filters.HostFilterHandler().get_matching_classes(conf.filter_scheduler.available_filters)
    chosen.filter_cls_map = {one.__name__: one for one in classes}
    chosen.filter_obj_map = {}
    chosen._choose_host_filters(chosen._load_filters())
    for weigher in weights.HostWeightHandler().get_matching_classes(conf.filter_scheduler.weight_classes):
        weigher()


try:
    import nova.conf
    import nova.pci.stats  # and the whitelist
    from oslo_log import log

    if service == "nova-scheduler":
        import nova.scheduler.host_manager
    arguments = ["--config-file=" + path for path in named_files()]
    log.register_options(nova.conf.CONF)
except BaseException as error:
    say("unasked", told(error))
complaints = sys.stderr = Complaints()
try:
    conf = nova.conf.CONF
    conf(arguments, project="nova", prog=service, default_config_files=[], default_config_dirs=[])
    read_every_option(conf)
    specs = load_whitelist(conf)
    if service == "nova-compute":
        load_pools(specs)
    else:
        load_filters(conf)
except (MemoryError, KeyboardInterrupt) as error:
    say("unasked", told(error))
except SystemExit:
    # `argument --debug: Invalid BoolOpt value: X`
    option = re.search("argument --([^ :]+): Invalid", complaints.text)
    say("refused" if option else "unasked", "%s: SystemExit" % (option.group(1) if option else "it"))
except BaseException as error:
    say("refused", told(error))
say("ok")
