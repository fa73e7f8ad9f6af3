#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Makes what the bench boots: Xen, a Linux kernel, dom0's initramfs and disk, and
the Linux guests' initramfs. All of it comes from Debian packages, which are unpacked
and not installed (installing a hypervisor would change the boot loader).

The result is kept in the cache under a hash of everything it is made from, so it is
made once, and again when a recipe changes.
"""
import fcntl
import gzip
import hashlib
import lzma
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SUITE = "bookworm"
XEN_PACKAGE = "xen-hypervisor-4.17-amd64"
KERNEL_META = "linux-image-amd64"
DOM0_PACKAGES = """xen-utils-4.17 xenstore-utils iproute2 iperf3 dnsmasq-base tcpdump
    iputils-ping traceroute nftables kmod procps netcat-openbsd busybox-static bind9-host
    ethtool python3-minimal mount fdisk e2fsprogs""".split()
INITRAMFS_MODULES = ["virtio_pci", "virtio_blk", "ext4"]
GUEST_MODULES = """xen-netfront xen-netback xen-evtchn xen-gntdev xenfs nf_tables nft_chain_nat
    nft_masq nft_ct nft_limit nf_conntrack nf_nat bridge""".split()
GUEST_PROGRAMS = """/usr/bin/iperf3 /usr/sbin/nft /usr/bin/ping /usr/sbin/traceroute
    /usr/bin/xenstore /usr/sbin/ip /usr/bin/nc.openbsd
    /usr/bin/kmod /usr/sbin/ethtool""".split()
# A client has none of the modules and rules of a router.
CLIENT_MODULES = "xen-netfront xen-evtchn xen-gntdev xenfs".split()
CLIENT_PROGRAMS = [program for program in GUEST_PROGRAMS if program != "/usr/sbin/nft"]
# Nor has one that uses disks anything of networks. fio is made from its source: Debian's is
# linked with eighty megabytes of libraries, which each start of it would wait for.
DISK_MODULES = "xen-blkfront xen-evtchn xen-gntdev xenfs ext4".split()
DISK_PROGRAMS = """/usr/bin/fio /usr/sbin/sfdisk /usr/sbin/mke2fs /usr/sbin/e2fsck
    /usr/sbin/blkdiscard /usr/sbin/blockdev /usr/sbin/fstrim /usr/bin/sha256sum /usr/bin/dd
    /usr/bin/cmp /usr/bin/xenstore /usr/bin/kmod""".split()
STATIC_PROGRAMS = ["/usr/bin/fio"]
FIO_WITHOUT = "native numa rdma rados rbd gfapi http pmem lex libnfs xnvme".split()
# On dom0's disk.
CLIENT_KERNEL, CLIENT_INITRAMFS = "/usr/lib/bench/vmlinux", "/usr/lib/bench/client.initramfs"
DISK_INITRAMFS = "/usr/lib/bench/disk.initramfs"
XENSTORE_LINKS = ["read", "write", "list", "rm", "watch", "ls", "exists"]
DISK_MIB = 900


def cache_root():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(base, "ringwall")


def say(text):
    print(f"image: {text}", flush=True)


def run(*command, **options):
    """The command's output; the end of everything if it fails."""
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            check=False, **options)
    if result.returncode:
        sys.stdout.write(result.stdout.decode("utf-8", "replace"))
        raise SystemExit(f"image: failed: {' '.join(command)[:200]}")
    return result.stdout.decode("utf-8", "replace")


def recipe_hash():
    digest = hashlib.sha256()
    for folder in ("dom0", "guest"):
        for name in sorted(os.listdir(os.path.join(HERE, folder))):
            with open(os.path.join(HERE, folder, name), "rb") as f:
                digest.update(name.encode() + b"\0" + f.read())
    with open(os.path.join(HERE, "image.py"), "rb") as f:
        digest.update(f.read())
    return digest.hexdigest()[:24]


def locked(path):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    handle = open(path, "w", encoding="ascii")
    fcntl.flock(handle, fcntl.LOCK_EX)
    return handle


def fetch_package(name, to):
    """Unpacks a Debian package into `to` without installing it."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        command = ["apt-get", "download", "-qq", name]
        if subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, check=False).returncode:
            run("apt-get", "update", "-qq")
            run(*command, cwd=folder)
        (deb,) = os.listdir(folder)
        run("dpkg-deb", "-x", os.path.join(folder, deb), to)


def xen():
    """The hypervisor alone, for tests that boot our kernel as the initial domain."""
    path = os.path.join(cache_root(), f"xen-{XEN_PACKAGE}")
    if os.path.exists(path):
        return path
    with locked(os.path.join(cache_root(), "xen.lock")):
        if os.path.exists(path):
            return path
        with tempfile.TemporaryDirectory() as folder:
            fetch_package(XEN_PACKAGE, folder)
            boot = os.path.join(folder, "boot")
            name = next(n for n in sorted(os.listdir(boot)) if n.endswith(".gz"))
            with gzip.open(os.path.join(boot, name)) as packed, \
                    open(path + ".new", "wb") as plain:
                shutil.copyfileobj(packed, plain)
        os.rename(path + ".new", path)
    return path


def kernel_package():
    text = run("apt-cache", "depends", KERNEL_META)
    for line in text.splitlines():
        if "Depends:" in line and "linux-image-" in line:
            return line.split()[-1]
    raise SystemExit(f"image: {KERNEL_META} names no kernel")


def apt_sources():
    """The machine's own package sources, one a line."""
    text = run("apt-get", "indextargets", "--format",
               "deb $(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages")
    lines = sorted({line for line in text.splitlines() if f" {SUITE}" in line})
    if not lines:
        run("apt-get", "update", "-qq")
        return apt_sources()
    return "\n".join(lines) + "\n"


def apt_options(folder):
    """The machine's own way to reach them (proxies and the like)."""
    lines = [line for line in run("apt-config", "dump").splitlines()
             if line.startswith(("Acquire::http", "Acquire::https", "Acquire::Check"))]
    path = os.path.join(folder, "apt.options")
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join(lines + ['Acquire::Languages "none";',
                                   'APT::Install-Recommends "false";']) + "\n")
    return path


def fetch_source(name, to):
    """Unpacks a Debian source package; the folder. The machine's own sources have only the
    packages made from them, so apt is given a list of its own."""
    os.makedirs(os.path.join(to, "lists/partial"))
    with open(os.path.join(to, "list"), "w", encoding="utf-8") as f:
        f.write("".join(line.replace("deb ", "deb-src ", 1) + "\n"
                        for line in apt_sources().splitlines()))
    apt = ["apt-get", "-qq", "-o", f"Dir::Etc::sourcelist={to}/list", "-o",
           "Dir::Etc::sourceparts=-", "-o", f"Dir::State::lists={to}/lists", "-o",
           "APT::Sandbox::User=root"]
    run(*apt, "update")
    run(*apt, "source", name, cwd=to)
    return next(entry.path for entry in os.scandir(to)
                if entry.is_dir() and entry.name.startswith(name + "-"))


def make_fio(folder, root):
    """fio without its many back ends, in one file, into the root."""
    source = fetch_source("fio", os.path.join(folder, "source"))
    libraries = os.path.join(folder, "libaio")
    fetch_package("libaio-dev", libraries)
    environment = {**os.environ, "CPATH": f"{libraries}/usr/include",
                   "LIBRARY_PATH": f"{libraries}/usr/lib/x86_64-linux-gnu"}
    run("./configure", "--build-static", *["--disable-" + word for word in FIO_WITHOUT],
        cwd=source, env=environment)
    run("make", "-s", f"-j{os.cpu_count()}", "fio", cwd=source, env=environment)
    run("strip", "fio", cwd=source)
    if "libaio" not in run("./fio", "--enghelp", cwd=source):
        raise SystemExit("image: fio is without libaio")
    install(root, os.path.join(source, "fio"), "/usr/bin/fio")


def make_root(folder):
    root = os.path.join(folder, "root")
    subprocess_input = apt_sources().encode()
    run("mmdebstrap", "--variant=apt", "--include=" + ",".join(DOM0_PACKAGES),
        "--aptopt=" + apt_options(folder),
        "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*",
        "--dpkgopt=path-exclude=/usr/share/locale/*", SUITE, root, "-", input=subprocess_input)
    return root


def install(root, source, target, mode=0o755):
    path = os.path.join(root, target.lstrip("/"))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    shutil.copyfile(source, path)
    os.chmod(path, mode)


def module_files(root, version, modules):
    """Paths, relative to root, of the modules and all that they need."""
    found = []
    for module in modules:
        text = run("modprobe", "-d", root, "-S", version, "--show-depends", module)
        for line in text.splitlines():
            words = line.split()
            if words[0] == "insmod":
                relative = os.path.relpath(words[1], root)
                if relative not in found:
                    found.append(relative)
    return found


def copy_modules(root, version, modules, to):
    for relative in module_files(root, version, modules):
        install(to, os.path.join(root, relative), relative, 0o644)
    for name in os.listdir(os.path.join(root, "lib/modules", version)):
        if name.startswith("modules.") and ("builtin" in name or "order" in name):
            install(to, os.path.join(root, "lib/modules", version, name),
                    f"lib/modules/{version}/{name}", 0o644)
    run("depmod", "-b", to, version)


def unpack_kernel(packed, to):
    """The ELF file in a bzImage (Documentation/x86/boot.rst): unpacking it takes ten seconds
    under emulation, which every domain would wait for. One that is not in xz format is left
    as it is; Xen and libxl take it too."""
    with open(packed, "rb") as f:
        data = f.read()
    offset, length = struct.unpack_from("<II", data, 0x248)
    start = ((data[0x1f1] or 4) + 1) * 512 + offset
    payload = data[start:start + length]
    if payload.startswith(b"\xfd7zXZ"):
        data = lzma.LZMADecompressor().decompress(payload)  # four more bytes follow it
    else:
        say("the kernel is in no known format; domains will unpack it")
    with open(to, "wb") as f:
        f.write(data)


def pack(folder, to, packer=("gzip", "-6", "-n")):
    with open(to, "wb") as out:
        find = subprocess.Popen(["find", "."], cwd=folder, stdout=subprocess.PIPE)
        cpio = subprocess.Popen(["cpio", "-o", "-H", "newc", "--quiet", "-R", "0:0"], cwd=folder,
                                stdin=find.stdout, stdout=subprocess.PIPE)
        subprocess.run(packer, stdin=cpio.stdout, stdout=out, check=True)
        if find.wait() or cpio.wait():
            raise SystemExit("image: cpio failed")


DOM0_INITRAMFS = """#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /root
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t proc proc /proc
for m in %s; do /bin/busybox modprobe $m; done
n=0
while [ ! -b /dev/vda ] && [ $n -lt 100 ]; do /bin/busybox sleep 0.1; n=$((n + 1)); done
/bin/busybox mount -t ext4 -o noatime /dev/vda /root
/bin/busybox umount /proc
exec /bin/busybox switch_root /root /sbin/bench-init
"""


def make_dom0_initramfs(root, version, folder, to):
    tree = os.path.join(folder, "initramfs")
    install(tree, os.path.join(root, "usr/bin/busybox"), "/bin/busybox")
    copy_modules(root, version, INITRAMFS_MODULES, tree)
    for module in ("bin/modprobe",):
        os.symlink("busybox", os.path.join(tree, module))
    os.symlink("bin", os.path.join(tree, "sbin"))
    with open(os.path.join(tree, "init"), "w", encoding="ascii") as f:
        f.write(DOM0_INITRAMFS % " ".join(INITRAMFS_MODULES))
    os.chmod(os.path.join(tree, "init"), 0o755)
    pack(tree, to)


def libraries_of(root, program):
    """Shared libraries that a program of the root needs, as paths in it."""
    if program in STATIC_PROGRAMS:
        return []
    text = run("chroot", root, "/lib64/ld-linux-x86-64.so.2", "--list", program)
    paths = []
    for line in text.splitlines():
        for word in line.split():
            if word.startswith("/") and ".so" in word:
                paths.append(word)
    return paths


def copy_program(root, program, tree):
    wanted = [program] + libraries_of(root, program)
    for path in wanted:
        real = os.path.join(root, path.lstrip("/"))
        while os.path.islink(real):
            link = os.readlink(real)
            real = os.path.join(root, link.lstrip("/")) if link.startswith("/") else \
                os.path.join(os.path.dirname(real), link)
        install(tree, real, path)


def make_guest_initramfs(root, version, tree, programs, modules):
    for directory in ("usr/bin", "usr/sbin", "usr/lib", "lib64", "etc", "tmp", "var", "root"):
        os.makedirs(os.path.join(tree, directory), exist_ok=True)
    for name in ("bin", "sbin", "lib"):
        os.symlink("usr/" + name, os.path.join(tree, name))
    install(tree, os.path.join(root, "usr/bin/busybox"), "/usr/bin/busybox")
    for program in programs:
        copy_program(root, program, tree)
    for verb in XENSTORE_LINKS:
        os.symlink("xenstore", os.path.join(tree, "usr/bin/xenstore-" + verb))
    if "/usr/bin/nc.openbsd" in programs:
        os.symlink("nc.openbsd", os.path.join(tree, "usr/bin/nc"))
    os.symlink("../bin/kmod", os.path.join(tree, "usr/sbin/modprobe"))
    copy_modules(root, version, modules, tree)
    install(tree, os.path.join(HERE, "guest/init"), "/init")
    install(tree, os.path.join(HERE, "guest/driver-vifs"), "/etc/driver-vifs")
    install(tree, os.path.join(HERE, "guest/router.nft"), "/etc/router.nft", 0o644)


def make_guests(root, version, folder, out):
    """Their initramfs, each packed with what suits it: size, or the time to unpack it."""
    tree = os.path.join(folder, "guest")
    make_guest_initramfs(root, version, tree, GUEST_PROGRAMS, GUEST_MODULES)
    pack(tree, os.path.join(out, "guest.initramfs"))
    for name, programs, modules, path in (
            ("client", CLIENT_PROGRAMS, CLIENT_MODULES, CLIENT_INITRAMFS),
            ("disk", DISK_PROGRAMS, DISK_MODULES, DISK_INITRAMFS)):
        tree = os.path.join(folder, name)
        make_guest_initramfs(root, version, tree, programs, modules)
        pack(tree, os.path.join(root, path.lstrip("/")), ("lz4", "-l", "-9", "-q"))
    shutil.copyfile(os.path.join(out, "vmlinux"), os.path.join(root, CLIENT_KERNEL.lstrip("/")))


def make_disk(root, to):
    for name, target in (("init", "/sbin/bench-init"), ("agent.py", "/usr/local/bin/agent.py"),
                         ("vif-bench", "/etc/xen/scripts/vif-bench"),
                         ("block-bench", "/etc/xen/scripts/block-bench")):
        install(root, os.path.join(HERE, "dom0", name), target)
    os.makedirs(os.path.join(root, "share"), exist_ok=True)
    run("mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-d", root, to, f"{DISK_MIB}M")


def mounts_under(folder):
    """Mount points below a folder, the innermost first."""
    prefix = os.path.realpath(folder) + "/"
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        points = [line.split()[4].replace("\\040", " ") for line in f]
    return sorted((point for point in points if point.startswith(prefix)), reverse=True)


def remove(folder):
    """Removes a folder of ours. An interrupted mmdebstrap leaves /proc, /sys and the
    host's own /dev/shm mounted in it: nothing is removed before they are out of the way."""
    for point in mounts_under(folder):
        subprocess.run(["umount", point], check=False)
    if mounts_under(folder):
        say(f"something is still mounted below {folder}; it is left as it is")
        return
    shutil.rmtree(folder, ignore_errors=True)


def make(target):
    start = time.time()

    def step(text):
        say(f"[{time.time() - start:4.0f} s] {text}")

    folder = tempfile.mkdtemp(dir=os.path.dirname(target), prefix="new-")
    out = os.path.join(folder, "out")
    os.makedirs(out)
    try:
        step("the bench image is not in the cache; making it (about two minutes)")
        shutil.copyfile(xen(), os.path.join(out, "xen"))
        step("dom0's root from Debian packages")
        root = make_root(folder)
        step("fio from its source")
        make_fio(folder, root)
        package = kernel_package()
        step(f"kernel {package}")
        # Not into the root itself: the package's lib/ would replace the root's link.
        unpacked = os.path.join(folder, "kernel")
        fetch_package(package, unpacked)
        boot = os.path.join(unpacked, "boot")
        kernel = next(n for n in os.listdir(boot) if n.startswith("vmlinuz-"))
        version = kernel[len("vmlinuz-"):]
        shutil.copyfile(os.path.join(boot, kernel), os.path.join(out, "vmlinuz"))
        unpack_kernel(os.path.join(out, "vmlinuz"), os.path.join(out, "vmlinux"))
        os.makedirs(os.path.join(root, "usr/lib/modules"), exist_ok=True)
        shutil.move(os.path.join(unpacked, "lib/modules", version),
                    os.path.join(root, "usr/lib/modules", version))
        run("depmod", "-b", root, version)
        step("initramfs of dom0 and of the Linux guests")
        make_dom0_initramfs(root, version, folder, os.path.join(out, "dom0.initramfs"))
        os.makedirs(os.path.join(root, os.path.dirname(CLIENT_KERNEL).lstrip("/")))
        make_guests(root, version, folder, out)
        for unused in ("sound", "media", "gpu", "wireless", "iio", "infiniband", "scsi", "usb",
                       "staging", "hwmon", "input"):
            for base in ("kernel", "kernel/drivers", "kernel/drivers/net"):
                shutil.rmtree(os.path.join(root, "lib/modules", version, base, unused),
                              ignore_errors=True)
        step("dom0's disk")
        make_disk(root, os.path.join(out, "dom0.disk"))
        os.rename(out, target)
        step("done")
    finally:
        remove(folder)


def ensure():
    """The folder with xen, vmlinuz, the same unpacked as vmlinux, dom0.initramfs, dom0.disk
    and guest.initramfs."""
    target = os.path.join(cache_root(), recipe_hash())
    if os.path.isdir(target):
        return target
    with locked(os.path.join(cache_root(), "image.lock")):
        if not os.path.isdir(target):
            if os.geteuid() != 0:
                raise SystemExit("image: making the bench image needs root (mmdebstrap)")
            make(target)
    return target


if __name__ == "__main__":
    print(ensure())
