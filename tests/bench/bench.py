# SPDX-License-Identifier: ISC
"""Real Xen under QEMU: boots it, runs scripts in dom0 and in Linux guests, makes
domains. README.md in this folder shows how it is used.

Every wait has a limit and a name; a BenchError says what was waited for.
"""
import fcntl
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

import image

TOP = os.path.dirname(os.path.dirname(image.HERE))
# SMAP and RDTSCP are off because nested Xen fails with them under TCG.
CPU = "max,-smap,-smep,-pku,-pks,-la57,-rdtscp"
DOM0_CPU, FIREWALL_CPU, CLIENT_CPU = 0, 1, 2
BOOT_ATTEMPTS = 3
GUEST_TAKES_S = 3  # a guest has read its script by then
# Among xl's settings, but for create() alone.
WATCHED = "watched"
# Self-tests and probes of Linux that a client can do without.
LINUX_SHORTCUTS = ("rodata=off cryptomgr.notests initcall_blacklist=init_kprobe_trace,"
                   "crypto_kdf108_init,init_encrypted,load_system_certificate_list")
UPLINK_IP, UPLINK_GATEWAY, OUTSIDE = "10.137.0.5", "10.137.0.1", "198.51.100.1"


class BenchError(Exception):
    pass


def wait_for(what, condition, limit, interval=0.2):
    """Calls condition() until it is true; BenchError naming `what` after `limit` s."""
    end = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise BenchError(f"timed out after {limit} s waiting for {what}")
        time.sleep(interval)


class Result:
    """Output and exit status of a script."""

    def __init__(self, out, status):
        self.out = out
        self.status = status

    @property
    def ok(self):
        return self.status == 0


class QemuLock:
    """One bench at a time on a machine: two of them on few cores only time out."""

    def __enter__(self):
        os.makedirs(image.cache_root(), exist_ok=True)
        self.file = open(os.path.join(image.cache_root(), "qemu.lock"), "w", encoding="ascii")
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("bench: another bench runs on this machine; waiting for it", flush=True)
            fcntl.flock(self.file, fcntl.LOCK_EX)
        return self

    def __exit__(self, *_):
        self.file.close()


def xen_boots_on_kvm(xen):
    """A /dev/kvm proves nothing: nested Xen must come up on it."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    command = ["qemu-system-x86_64", "-M", "q35", "-accel", "kvm", "-cpu", "host", "-m", "512",
               "-nographic", "-no-reboot", "-kernel", xen, "-append",
               "console=com1 com1=115200,8n1 noreboot=1"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as qemu:
        timer = threading.Timer(15, qemu.kill)
        timer.start()
        good = False
        for line in qemu.stdout:
            if b"HVM: Hardware Assisted Paging" in line:
                good = True
            if b"dom0 kernel not specified" in line or b"Xen BUG" in line:
                break
        qemu.kill()
        timer.cancel()
    return good


class Bench:
    """with Bench() as bench: bench.run("xl info") ..."""

    def __init__(self, plugins=(), log_dir=None, memory="6G", quiet=False, accel=None):
        self.plugins = list(plugins)
        self.log_dir = log_dir or os.path.join(TOP, "build", "bench-logs")
        self.memory = memory
        self.quiet = quiet
        self.accel = accel
        self.start_time = time.monotonic()
        self.next_id = 1
        self.waiting = {}
        self.begun = {}  # the last job of each guest, and when it was sent
        self.lock = threading.Lock()
        self.qemu = None
        self.domains = {}

    # ---- life ----

    def say(self, text):
        if not self.quiet:
            print(f"[{time.monotonic() - self.start_time:6.1f} s] {text}", flush=True)

    def __enter__(self):
        files = image.ensure()
        self.qemu_lock = QemuLock().__enter__()
        try:
            self._start(files)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_):
        self._stop()

    def _start(self, files):
        os.makedirs(self.log_dir, exist_ok=True)
        self.work = tempfile.mkdtemp(prefix="ringwall-bench-")
        self.share = os.path.join(self.work, "share")
        os.makedirs(self.share)
        for name in ("vmlinuz", "guest.initramfs"):
            os.link(os.path.join(files, name), os.path.join(self.share, name)) \
                if os.stat(files).st_dev == os.stat(self.share).st_dev else \
                shutil.copyfile(os.path.join(files, name), os.path.join(self.share, name))
        xen = os.path.join(files, "xen")
        if self.accel is None:
            self.accel = "kvm" if not self.plugins and xen_boots_on_kvm(xen) else "tcg"
        self.say("booting Xen under QEMU (%s)" % (
            "KVM" if self.accel == "kvm" else "software emulation: no usable KVM here"
            if not self.plugins else "software emulation, counting instructions"))
        self._boot(files, xen)
        self.say("dom0 is up")

    def _boot(self, files, xen):
        """On a busy machine Xen's scheduler may tick before it has a processor's idle unit,
        and panic. That is before there is anything of ours, so it is tried again."""
        for _ in range(BOOT_ATTEMPTS):
            self.qemu = self._spawn(files, xen)
            self._connect(os.path.join(self.work, "agent"))
            wait_for("dom0's agent", lambda: self._dead_check() or self.waiting.get("up") or
                     self._xen_panicked(), 240)
            if self.waiting.get("up"):
                return
            self.say("Xen panicked before there was a dom0")
            self._end_qemu()
        raise BenchError(f"Xen does not boot: {self.serial}")

    def _xen_panicked(self):
        with open(self.serial, encoding="utf-8", errors="replace") as f:
            text = f.read()
        return "Panic on CPU" in text and "Dom0 kernel:" not in text

    def _end_qemu(self):
        if self.qemu and self.qemu.poll() is None:
            self.qemu.kill()
            self.qemu.wait()
        if os.path.exists(os.path.join(self.work, "agent")):
            os.unlink(os.path.join(self.work, "agent"))

    def _spawn(self, files, xen):
        self.serial = os.path.join(self.log_dir, "serial.log")
        open(self.serial, "wb").close()  # not the last boot's
        accel = ["-accel", "kvm", "-cpu", "host"] if self.accel == "kvm" else \
            ["-accel", "tcg,thread=multi,tb-size=512", "-cpu", CPU]
        shortcuts = LINUX_SHORTCUTS.replace(",", ",,")  # one alone begins the next module
        command = ["qemu-system-x86_64", "-M", "q35"] + accel + [
            "-smp", "4", "-m", self.memory, "-display", "none", "-monitor", "none", "-no-reboot",
            "-serial", f"file:{self.serial}", "-nic", "none",
            "-kernel", xen, "-append",
            "console=com1 com1=115200,8n1 dom0_mem=1G,max:1G dom0_max_vcpus=1 dom0_vcpus_pin "
            "loglvl=warning guest_loglvl=none noreboot=1 sched=credit",
            "-initrd", f"{files}/vmlinux console=hvc0 quiet loglevel=4 "
            f"{shortcuts},{files}/dom0.initramfs",
            "-drive", f"file={files}/dom0.disk,format=raw,if=virtio,snapshot=on",
            "-virtfs", f"local,path={self.share},mount_tag=share,security_model=none",
            "-device", "virtio-serial", "-chardev",
            f"socket,id=agent,path={self.work}/agent,server=on,wait=off",
            "-device", "virtserialport,chardev=agent,name=ringwall"]
        for plugin in self.plugins:
            command += ["-plugin", plugin]
        self.qemu_log = open(os.path.join(self.log_dir, "qemu.log"), "wb")
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.qemu_log,
                                stderr=subprocess.STDOUT)

    def _dead_check(self):
        if self.qemu.poll() is not None:
            with open(os.path.join(self.log_dir, "qemu.log"), encoding="utf-8",
                      errors="replace") as f:
                raise BenchError(f"QEMU ended: {f.read()[-2000:]}")
        return False

    def _connect(self, path):
        wait_for("QEMU's agent socket", lambda: self._dead_check() or os.path.exists(path), 20)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        threading.Thread(target=self._receive, daemon=True).start()

    def _receive(self):
        pending = b""
        while True:
            try:
                data = self.socket.recv(65536)
            except OSError:
                return
            if not data:
                return
            pending += data
            while b"\n" in pending:
                line, pending = pending.split(b"\n", 1)
                self._message(json.loads(line))

    def _message(self, message):
        if message["id"] == 0:
            self.waiting["up"] = True
            return
        job = self.waiting.get(message["id"])
        if not job:
            return
        if "out" in message:
            job["out"].append(message["out"])
        else:
            job["status"] = message["status"]
            job["done"].set()

    def _stop(self):
        if hasattr(self, "work"):
            self._end_qemu()
        self.qemu_lock.__exit__()
        if hasattr(self, "work"):
            shutil.rmtree(self.work, ignore_errors=True)

    # ---- scripts in dom0 ----

    def ask(self, timeout, **request):
        """Sends dom0's agent a request (dom0/agent.py has them); give the result to
        finish()."""
        job = {"out": [], "status": None, "done": threading.Event(), "timeout": timeout,
               "what": request.get("script") or str(request)}
        with self.lock:
            number = self.next_id
            self.next_id += 1
            self.waiting[number] = job
            self.socket.sendall((json.dumps({"id": number, "timeout": timeout, **request}) +
                                 "\n").encode())
        return job

    def begin(self, script, timeout=60):
        """Starts a script in dom0; give the result to finish()."""
        return self.ask(timeout, script=script)

    def finish(self, job, check=True):
        if not job["done"].wait(job["timeout"] + 30):
            self._dead_check()
            raise BenchError(f"dom0 does not answer: {job['what'][:200]}")
        result = Result("".join(job["out"]), job["status"])
        if check and not result.ok:
            raise BenchError(f"status {result.status} from: {job['what'][:300]}\n{result.out}")
        return result

    def run(self, script, timeout=60, check=True):
        """Runs a shell script in dom0. BenchError when check and the status is not 0."""
        return self.finish(self.begin(script, timeout), check)

    def put(self, path, name=None):
        """Makes a host file visible in dom0; its path there."""
        name = name or os.path.basename(path)
        shutil.copyfile(path, os.path.join(self.share, name + ".new"))
        os.rename(os.path.join(self.share, name + ".new"), os.path.join(self.share, name))
        return f"/share/{name}"

    def put_text(self, name, text):
        with open(os.path.join(self.share, name), "w", encoding="utf-8") as f:
            f.write(text)
        return f"/share/{name}"

    # ---- domains ----

    def write_config(self, config):
        """Writes a dict of xl settings as a file; its path in dom0. Strings are quoted."""
        lines = []
        for key, value in config.items():
            if key == WATCHED:
                continue
            if isinstance(value, list):
                lines.append(f"{key} = [ {', '.join(json.dumps(v) for v in value)} ]")
            elif isinstance(value, int):
                lines.append(f"{key} = {value}")
            else:
                lines.append(f"{key} = {json.dumps(value)}")
        return self.put_text(config["name"] + ".xl", "\n".join(lines) + "\n")

    def create_command(self, config, options=""):
        """The shell's line that creates the domain. With "watched": False among the settings
        no xl stays behind to see to the end of it: for domains that are always destroyed."""
        if not config.get(WATCHED, True):
            options += " -e"
        self.domains[config["name"]] = True
        return f"rm -f /var/log/xen/console/guest-{config['name']}.log; " \
               f"xl create {options} {self.write_config(config)}"

    def create(self, config, timeout=90, check=True):
        """xl create from a dict of xl settings."""
        return self.run(self.create_command(config), timeout, check)

    def create_all(self, configs, timeout=90, paused=False):
        """Several domains with one script, for little ones that come in numbers. Paused ones
        begin all together, when all are there."""
        script = "set -e\n"
        for config in configs:
            script += self.create_command(config, "-p" if paused else "") + "\n"
        if paused:
            script += "".join(f"xl unpause {config['name']}\n" for config in configs)
        return self.run(script, timeout)

    def ringwall_config(self, kernel, name="ringwall", mode="pvh", memory=32,
                        cmdline=f"ip={UPLINK_IP}/24 gw={UPLINK_GATEWAY} log=info",
                        rules=None, vifs=None, cpu=FIREWALL_CPU):
        """The domain as configs/firewall/firewall.xl describes it. rules: text or None."""
        config = {"name": name, "type": mode, "kernel": self.put(kernel, f"{name}.kernel"),
                  "memory": memory, "vcpus": 1, "cpus": str(cpu), "cmdline": cmdline,
                  "on_crash": "preserve", "on_reboot": "restart", "on_poweroff": "destroy",
                  "vif": ["mac=00:16:3e:00:10:05,script=vif-bench"] if vifs is None else vifs}
        if rules is not None:
            config["ramdisk"] = self.put_text(f"{name}.rules", rules)
        return config

    def linux_config(self, name, mode, vifs, parameters, memory, cpu):
        """A Linux guest as it is distributed: what is measured."""
        return {"name": name, "type": mode, "kernel": "/share/vmlinuz",
                "ramdisk": "/share/guest.initramfs", "memory": memory, "vcpus": 1,
                "cpus": str(cpu),
                "cmdline": "console=hvc0 quiet loglevel=4 mitigations=off " + parameters,
                "on_crash": "preserve", "vif": vifs}

    def linux_client_config(self, name, mode, vifs, parameters):
        """A Linux guest that is there in a third of the time: its kernel is unpacked
        already, its initramfs smaller, and it leaves out what no test needs of it."""
        config = self.linux_config(name, mode, vifs, f"{LINUX_SHORTCUTS} rw.role=client "
                                   f"{parameters}", 160, CLIENT_CPU)
        return config | {"kernel": image.CLIENT_KERNEL, "ramdisk": image.CLIENT_INITRAMFS,
                         WATCHED: False}

    def client_config(self, name, number, backend="ringwall", mode="pv", gateway=UPLINK_IP,
                      cpu=CLIENT_CPU):
        """A Linux client with address 10.137.1.NUMBER behind `backend`."""
        address = f"10.137.1.{number}"
        return self.linux_client_config(
            name, mode, [f"mac=00:16:3e:00:20:{number:02x},ip={address},backend={backend}"],
            f"rw.ip={address}/32 rw.gw={gateway}") | {"cpus": str(cpu)}

    @staticmethod
    def disk(target, vdev="xvda", access="rw", backend=None):
        """One of a domain's disks, for its config or `xl block-attach`: a block device or file
        of dom0, or what a backend domain serves under that name."""
        server = f"backend={backend}" if backend else "script=block-bench"
        return f"format=raw,vdev={vdev},access={access},{server},target={target}"

    def disk_config(self, name, disks, mode="pv", memory=256, cpu=CLIENT_CPU, parameters=""):
        """A Linux guest with fio and the tools of ext4, and these disks."""
        config = self.linux_config(name, mode, [], f"{LINUX_SHORTCUTS} rw.role=disk "
                                   f"{parameters}", memory, cpu)
        return config | {"kernel": image.CLIENT_KERNEL, "ramdisk": image.DISK_INITRAMFS,
                         "disk": disks, WATCHED: False}

    def router_config(self, name="router", mode="pv"):
        """The Linux router domain that Ringwall is compared with."""
        return self.linux_config(
            name, mode, ["mac=00:16:3e:00:10:05,script=vif-bench"],
            f"rw.role=router rw.ip={UPLINK_IP}/24 rw.gw={UPLINK_GATEWAY}", 320, FIREWALL_CPU)

    def bridge_config(self, name="bridge", mode="pv"):
        """The Linux bridge domain that the relay is compared with. Its netfront copies what
        it sends (trusted=0): a bridge hands it the clients' own pages, as netback has mapped
        them, and these it cannot grant. Whatever is longer than 128 bytes would be lost."""
        return self.linux_config(name, mode, ["mac=00:16:3e:00:10:06,script=vif-bench"],
                                 "rw.role=bridge xen_netfront.trusted=0", 320, FIREWALL_CPU)

    def bridged_client_config(self, name, address, backend, mac="00:16:3e:00:30:10",
                              options=""):
        """A Linux client on dom0's own link, behind a relay or bridge."""
        return self.linux_client_config(name, "pv", [f"mac={mac},backend={backend}{options}"],
                                        f"rw.ip={address}/24 rw.gw={UPLINK_GATEWAY}")

    def console(self, name):
        """All that the domain has printed since its creation."""
        return self.finish(self.ask(30, console=name)).out.replace("\r", "")

    def wait_console(self, name, pattern, limit=60, start=0):
        """Waits until the console from offset `start` matches; the match."""
        def look():
            return re.search(pattern, self.console(name)[start:], re.M)
        try:
            return wait_for(f"{name}'s console to say /{pattern}/", look, limit, 0.1)
        except BenchError as error:
            raise BenchError(f"{error}\n--- console of {name}:\n{self.console(name)[-6000:]}") \
                from None

    def wait_ready(self, name, limit=120):
        """Waits until a Linux guest answers."""
        return self.wait_console(name, "^@@ready", limit)

    def guest_begin(self, name, script, timeout=60):
        """Starts a script in a Linux guest; give the result to finish()."""
        # The guest finds each script in the same node: it must have taken the one before.
        job, begun = self.begun.get(name, (None, 0))
        if job and not job["done"].is_set():
            time.sleep(max(0, begun + GUEST_TAKES_S - time.monotonic()))
        job = self.ask(timeout, guest=name, script=script)
        self.begun[name] = (job, time.monotonic())
        return job

    def guest(self, name, script, timeout=60, check=True):
        """Runs a script in a Linux guest."""
        return self.finish(self.guest_begin(name, script, timeout), check)

    def type(self, name, line):
        """Types a line at a domain's console."""
        self.finish(self.ask(30, type=name, line=line))

    def domid(self, name, check=True):
        """The number of the domain, of the youngest if there are several. Without `check`,
        None where there is none."""
        result = self.finish(self.ask(30, domid=name), check)
        return int(result.out) if result.ok else None

    def state(self, name):
        """xl's state letters without dashes ("b", "r", "c", ...); None: no such domain."""
        result = self.run("xl list", 30)
        for line in result.out.splitlines():
            words = line.split()
            if words and words[0] == name:
                return words[4].replace("-", "")
        return None

    def destroy(self, name, timeout=60, check=True):
        self.domains.pop(name, None)
        return self.run(f"xl destroy {name}", timeout, check)

    def destroy_these(self, names, timeout=60):
        """Several domains at once, as far as they exist."""
        for name in names:
            self.domains.pop(name, None)
        self.run("".join(f"xl destroy {name} &\n" for name in names) + "wait", timeout)

    def destroy_all(self):
        """Clients first: libxl waits for their backends."""
        names = self.run("xl list | awk 'NR > 1 && $2 != 0 { print $1 }' | tac").out.split()
        for name in names:
            self.destroy(name, check=False)

    def upload_logs(self, label):
        """Copies the console of every domain, Xen's and xl's to the log folder."""
        target = os.path.join(self.log_dir, re.sub(r"[^A-Za-z0-9_.-]", "_", label))
        os.makedirs(target, exist_ok=True)
        try:
            text = self.run("for f in /var/log/xen/console/* /var/log/xen/*.log; do "
                            "echo \"=== $f\"; tail -c 8000 $f; done; echo '=== xl dmesg'; "
                            "xl dmesg | tail -n 60; echo '=== xl list'; xl list; "
                            "echo '=== xenstore'; xenstore-ls -f | head -n 300",
                            30, False).out
        except BenchError as error:
            text = f"logs cannot be had: {error}"
        path = os.path.join(target, "consoles.log")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path, text


if __name__ == "__main__":
    with Bench() as bench_:
        for script_ in sys.argv[1:] or ["xl info; xl list"]:
            print(bench_.run(script_, check=False).out)
