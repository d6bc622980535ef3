"""Functions in containers, by a real engine: Podman."""

import http.server
import json
import os
import re
import shutil
import signal
import socketserver
import subprocess
import threading
from pathlib import Path

import pytest
from support.engine import PROGRAM, ROOT, Refused, end_with_parent, wait_for

BUILT = PROGRAM.parent / "tests/unit/functions"
TSAN = ROOT / "build-tsan/tests/unit/functions"
PROBE = "localhost/dalamb-probe"
SPACES = Path("/run/dalamb")
RULES = 'rule "call" { on = { type = "go" }, call = "probe" }\n'


@pytest.fixture
def engine(engine):
    """Stopped as it should be: what a killed one leaves waits for the next on its data."""
    engines = []

    def make(*words, **more):
        engines.append(engine(*words, **more))
        return engines[-1]

    yield make
    for one in engines:
        if one.process and one.process.poll() is None:
            one.stop()


def build(podman, folder, name, *lines):
    """An image of tests/unit/functions/probe.c; its id."""
    shutil.copy(BUILT / "container_probe", folder / "probe")
    text = ["FROM scratch", "COPY probe /", *lines, 'CMD ["/probe"]', ""]
    (folder / "Containerfile").write_text("\n".join(text))
    return podman.build(name, folder)


@pytest.fixture(scope="session")
def probe(podman, tmp_path_factory):
    if os.geteuid() != 0:
        pytest.skip("containers need root")
    build(podman, tmp_path_factory.mktemp("probe"), PROBE)
    return PROBE


def app(host, image=PROBE, **fields):
    fields = {"order": "false", "attempts": "1", "timeout": '"5s"', **fields}
    declared = "".join("  %s = %s,\n" % field for field in fields.items())
    return {
        "dalamb.lua": 'containers { host = "%s" }\n' % host
        + 'func "probe" {\n  image = "%s",\n%s}\n' % (image, declared),
        "rules/rules.lua": RULES,
    }


def completions(engine, kind="succeeded"):
    type = "dalamb.function." + kind
    return [item["event"]["data"] for item in engine.events(topic="system", type=type)]


def do(engine, what, kind="succeeded"):
    """One more event, and what came of it."""
    before = len(completions(engine, kind))
    engine.send("go", {"do": what})
    return wait_for(lambda: completions(engine, kind)[before:], what="a completion")[0]


def data_id(engine):
    return (engine.data / "id").read_text().split()[0]


def containers(podman, engine):
    return podman.containers("dalamb.data=" + data_id(engine))


def namespaces(engine):
    """The files that hold the network namespaces of its containers."""
    folder = SPACES / data_id(engine)
    return [file for file in folder.glob("*") if file.name[0] != "."] if folder.exists() else []


def mounts(engine):
    text = Path("/proc/self/mountinfo").read_text()
    return text.count("/run/dalamb/" + data_id(engine))


def assert_clean(podman, engine):
    assert containers(podman, engine) == []
    assert not (SPACES / data_id(engine)).exists()
    assert mounts(engine) == 0


def obstacle(engine):
    return engine.status()["functions"][0].get("obstacle", "")


class Service:
    """One more service on Podman's images and containers, to be stopped and started."""

    def __init__(self, podman, folder):
        self.podman, self.socket = podman, folder / "podman.sock"
        self.host = "unix://%s" % self.socket
        self.process = None

    def start(self):
        self.socket.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            ["podman", "system", "service", "--time=0", self.host],
            env=self.podman.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=end_with_parent,
        )
        wait_for(self.socket.exists, what="the start of podman's service")
        return self

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None


@pytest.fixture
def service(podman, folder):
    one = Service(podman, folder)
    yield one
    one.stop()


# --- the driver alone, with what sanitizers find ---


@pytest.mark.parametrize("built", [BUILT, TSAN], ids=["own", "tsan"])
def test_driver(podman, probe, built):
    program = built / "unit_functions_container"
    if not program.exists():
        pytest.skip("%s is not built" % program)
    suppressions = "suppressions=%s" % (ROOT / "tests/tsan.supp")
    environment = {
        **os.environ,
        "DALAMB_TEST_CONTAINERS": podman.host,
        "TSAN_OPTIONS": "halt_on_error=1:" + suppressions,
    }
    done = subprocess.run([program], env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr


# --- a container's life ---


def test_one_event(podman, probe, engine):
    one = engine(app(podman.host, memory='"64MB"', cpu="0.5", env='{ MODE = "fast" }'))
    done = do(one, "echo")
    assert done["cold"] and done["result"]["data"] == {"do": "echo"}
    assert done["memory_mb"] == 64 and 0 < done["peak_mb"] < 64 and done["cpu_ms"] > 0
    assert not do(one, "echo")["cold"]
    [container] = containers(podman, one)
    assert container["Labels"]["dalamb.function"] == "probe"
    assert container["Labels"]["dalamb.version"] == done["version"]
    assert len(namespaces(one)) == mounts(one) == 1
    [inside] = json.loads(podman.run("inspect", container["Id"]))
    assert inside["HostConfig"]["Memory"] == inside["HostConfig"]["MemorySwap"] == 64000000
    assert inside["HostConfig"]["CpuQuota"] == 50000 and inside["HostConfig"]["PidsLimit"] == 1024
    assert "MODE=fast" in inside["Config"]["Env"]
    page = one.get("/metrics").body.decode()
    for phase in ["network", "create", "attach", "find", "start"]:
        assert 'dalamb_container_start_seconds_count{phase="%s"} 1' % phase in page
    assert one.stop() == 0
    assert_clean(podman, one)


def test_walls(podman, probe, engine):
    one = engine(app(podman.host, tmp='"1MiB"'))
    one.send("go", {"do": "walls", "port": one.port})
    walls = wait_for(lambda: completions(one), what="a completion")[0]["result"]
    holes = ["become_root", "user_namespace", "mount_namespace", "mount", "remount", "device"]
    holes += ["chroot", "host_name", "raw_socket", "core_pattern", "sysrq", "kernel_memory"]
    holes += ["cgroup", "outside", "host_loopback", "podman_socket", "docker_socket"]
    holes += ["vsock", "kernel_crypto", "netlink_audit", "socketcall"]
    assert [name for name in holes if walls[name] == 0] == []
    assert walls["uid"] == walls["gid"] == 65534 and walls["writable"] == ""
    assert walls["cap_effective"] == walls["cap_permitted"] == walls["cap_bounding"] == 0
    assert walls["no_new_privileges"] == 1 and walls["seccomp"] == 2
    assert walls["processes"] == walls["interfaces"] == 1
    assert walls["tmp_bytes"] == 1 << 20


def test_image_with_volumes_and_a_user(podman, probe, engine, folder):
    """What an image may ask for: places to write, a user; files where the engine would write."""
    (folder / "big").write_bytes(os.urandom(100000))
    lines = ["COPY big %s" % path for path in ["/data/", "/run/", "/var/tmp/"]]
    lines += ["USER 1000", "VOLUME /data /cache"]
    build(podman, folder, "localhost/dalamb-volumes", *lines)
    one = engine(app(podman.host, "localhost/dalamb-volumes", tmp='"1MiB"'))
    walls = do(one, "walls")["result"]
    assert walls["uid"] == 1000 and walls["gid"] == 65534 and walls["writable"] == ""
    assert one.stop() == 0
    assert podman.run("volume", "ls", "-q") == ""


def test_ends_are_told_apart(podman, probe, engine):
    one = engine(app(podman.host, memory='"32MB"', timeout='"1s"'))
    error = do(one, "exit", "failed")["error"]
    assert error["type"] == "Runtime.ExitError" and "ended with status 3" in error["message"]
    assert "its last line: no more" in error["message"]
    assert do(one, "eat", "failed")["error"]["type"] == "dalamb.OutOfMemory"
    assert do(one, "hang", "failed")["error"]["type"] == "Sandbox.Timedout"
    assert do(one, "fail", "failed")["error"] == {"type": "Probe", "message": "as told"}
    assert do(one, "echo")["result"]["data"] == {"do": "echo"}


def test_lines_reach_the_log(podman, probe, engine):
    one = engine(app(podman.host))
    do(one, "print")
    wait_for(lambda: "to stderr" in one.said(), what="a line")
    lines = [json.loads(line) for line in one.said().splitlines()]
    assert {"to stdout", "to stderr"} <= {line["text"].split(": ")[-1] for line in lines}


def test_sigterm_ignored(podman, probe, engine):
    """It hangs, and catches SIGTERM: it is killed when the grace is over."""
    files = app(podman.host, env='{ PROBE_TERM = "ignore" }', timeout='"60s"')
    files["dalamb.lua"] += 'limits { grace = "500ms" }\n'
    one = engine(files)
    one.send("go", {"do": "hang"})
    wait_for(lambda: one.status()["functions"][0]["busy"], what="an invocation")
    assert one.stop() == 0
    assert_clean(podman, one)


def descriptors(engine):
    """Of the engine, but for the files of its data and the connections of tests."""
    links, folder = [], Path("/proc/%d/fd" % engine.pid)
    for file in folder.iterdir():
        try:
            links.append(os.readlink(file))
        except OSError:  # closed meanwhile
            pass
    return sorted(re.sub(r"\d+", "", link) for link in links if str(engine.data) not in link)


def echo_many(podman, engine, first, count):
    """As one batch; until all is done and the instances have ended of idleness."""
    events = [
        {"specversion": "1.0", "id": str(i), "source": "/t", "type": "go", "data": {"do": "echo"}}
        for i in range(first, first + count)
    ]
    batch = {"Content-Type": "application/cloudevents-batch+json"}
    assert engine.post("/v1/events", events, batch).status == 200
    engine.drain()
    assert 1 <= len(containers(podman, engine)) <= 4
    wait_for(lambda: not containers(podman, engine), what="the end of idle containers")
    wait_for(lambda: not namespaces(engine), what="their namespaces' end")


def test_a_thousand_events(podman, probe, engine):
    one = engine(app(podman.host, max="4", idle='"1s"'))
    echo_many(podman, one, 0, 100)
    before = descriptors(one)
    echo_many(podman, one, 100, 1000)
    assert one.status()["functions"][0]["invocations"] == 1100
    assert mounts(one) == 0
    wait_for(lambda: descriptors(one) == before, what="%s again" % before)
    assert one.stop() == 0
    assert_clean(podman, one)


# --- kill -9 ---


def any_runs(podman, engine):
    return any(container["State"] == "running" for container in containers(podman, engine))


def test_orphans_are_removed_and_no_others(podman, probe, engine):
    other = engine(app(podman.host))
    do(other, "echo")
    one = engine(app(podman.host, attempts="3", max="2"))
    do(one, "echo")
    one.send("go", {"do": "hang"})
    wait_for(lambda: one.status()["functions"][0]["busy"], what="an invocation")
    one.kill()
    left = [container["Id"] for container in containers(podman, one)]
    assert left and len(namespaces(one)) == len(left)
    # They end with it; what they were remains.
    wait_for(lambda: not any_runs(podman, one), what="their processes' end")
    one.start()
    wait_for(
        lambda: not {container["Id"] for container in containers(podman, one)} & set(left),
        what="the removal of orphans",
    )
    assert do(one, "echo")["result"]["data"] == {"do": "echo"}
    assert not do(other, "echo")["cold"]  # the other's was left alone
    assert one.stop() == 0
    assert_clean(podman, one)


def test_orphans_of_an_app_without_containers(podman, probe, engine):
    """Its function was taken out after the kill."""
    one = engine(app(podman.host))
    do(one, "echo")
    one.kill()
    assert containers(podman, one)
    (one.app / "dalamb.lua").write_text('containers { host = "%s" }\n' % podman.host)
    (one.app / "rules/rules.lua").unlink()
    one.start()
    wait_for(lambda: containers(podman, one) == [], what="the removal of orphans")
    one.stop()
    assert_clean(podman, one)


# --- images ---


def image_of(podman, engine):
    return [container["ImageID"] for container in containers(podman, engine)]


def test_a_tag_is_pinned_at_load(podman, probe, engine, folder):
    name = "localhost/dalamb-variant:1"
    first = build(podman, folder, name, "ENV VARIANT=first")
    one = engine(app(podman.host, name))
    version = do(one, "echo")["version"]
    assert image_of(podman, one) == [first]
    second = build(podman, folder, name, "ENV VARIANT=second")
    assert second != first
    do(one, "exit", "failed")
    assert do(one, "echo")["version"] == version  # by a new container
    assert image_of(podman, one)[0] == first
    one.stop()
    one.start()
    assert do(one, "echo")["version"] != version
    assert image_of(podman, one) == [second]


def test_an_image_that_goes_away(podman, probe, engine, folder):
    name = "localhost/dalamb-variant:2"
    image = build(podman, folder, name, "ENV VARIANT=gone")
    one = engine(app(podman.host, name))
    podman.run("save", "-o", folder / "saved", name)
    podman.run("rmi", "-f", image)
    one.send("go", {"do": "echo"})
    wait_for(lambda: "is gone" in obstacle(one), what="the obstacle")
    assert name in obstacle(one)
    assert one.status()["functions"][0]["retrying"] + one.status()["functions"][0]["waiting"] == 1
    podman.run("load", "-i", folder / "saved")
    wait_for(lambda: completions(one), what="a completion")
    assert obstacle(one) == ""


def test_a_missing_image(podman, engine):
    with pytest.raises(Refused) as refused:
        engine(app(podman.host, "localhost/none:1"))
    text = str(refused.value)
    assert re.search(r"dalamb\.lua:\d+: ", text)
    assert "there is no image localhost/none:1 on this machine, and dalamb pulls none" in text
    assert "podman pull localhost/none:1" in text


def test_an_image_for_other_machines(podman, probe, engine, folder):
    build(podman, folder, "localhost/dalamb-other")
    podman.build("localhost/dalamb-other", folder, "--no-cache", "--arch", "s390x")
    with pytest.raises(Refused) as refused:
        engine(app(podman.host, "localhost/dalamb-other"))
    assert "the image localhost/dalamb-other is for linux/s390x, and this machine is" in str(
        refused.value
    )


def test_a_program_that_the_image_lacks(podman, probe, engine):
    one = engine(app(podman.host, command='{ "/nothing" }'))
    error = do(one, "echo", "failed")["error"]
    assert "could not be started" in error["message"] and "/nothing" in error["message"]


# --- the engine ---


def test_an_engine_that_comes_later(podman, probe, engine, service):
    one = engine(app(service.host))
    wait_for(lambda: "could not reach" in obstacle(one), what="the obstacle")
    assert "is the container engine running" in one.said()
    one.send("go", {"do": "echo"})
    service.start()
    wait_for(lambda: completions(one), what="a completion")
    assert obstacle(one) == "" and "it can run again" in one.said()
    assert one.stop() == 0
    assert_clean(podman, one)


def test_an_engine_that_restarts(podman, probe, engine, service):
    service.start()
    one = engine(app(service.host))
    do(one, "echo")
    service.stop()
    assert not do(one, "echo")["cold"]  # what runs goes on
    one.send("go", {"do": "exit"})  # and ends, and is not made again
    assert wait_for(lambda: completions(one, "failed"), what="a failure")
    one.send("go", {"do": "echo"})
    wait_for(lambda: "could not reach" in obstacle(one), what="the obstacle")
    service.start()
    wait_for(lambda: len(completions(one)) == 3, what="a completion")
    do(one, "print")
    wait_for(lambda: "to stderr" in one.said(), what="a line")
    assert one.stop() == 0
    assert_clean(podman, one)


def test_an_engine_that_hangs(podman, probe, engine, service):
    """It takes connections and never answers: nothing else waits for it."""
    service.start()
    files = app(service.host)
    one = engine(files)
    do(one, "echo")
    service.process.send_signal(signal.SIGSTOP)
    assert not do(one, "echo")["cold"]
    do(one, "exit", "failed")
    one.send("go", {"do": "echo"})
    wait_for(lambda: "did not answer" in obstacle(one), 60, what="the obstacle")
    service.process.send_signal(signal.SIGCONT)
    wait_for(lambda: len(completions(one)) == 3, what="a completion")
    assert one.stop() == 0
    assert_clean(podman, one)


class Docker(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


class DockerAnswers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def address_string(self):
        return "unix"

    def log_message(self, *_):
        pass

    def do_GET(self):
        version = {"Components": [{"Name": "Engine"}], "Version": "20.10.24"}
        image = {"Id": "sha256:1", "Os": "linux", "Architecture": os.uname().machine, "Config": {}}
        image["Architecture"] = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
        body = json.dumps(version if self.path.endswith("/version") else image).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def test_docker_is_an_obstacle(engine, folder):
    if os.geteuid() != 0:
        pytest.skip("containers need root")
    path = folder / "docker.sock"
    server = Docker(str(path), DockerAnswers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        one = engine(app("unix://%s" % path))
        wait_for(lambda: "Engine 20.10.24" in obstacle(one), what="the obstacle")
        assert "use Podman" in one.said()
    finally:
        server.shutdown()
        server.server_close()


def test_an_address_that_is_no_socket(engine):
    with pytest.raises(Refused) as refused:
        engine(app("tcp://127.0.0.1:2375"))
    assert 'containers.host: "tcp://127.0.0.1:2375" is no Unix socket' in str(refused.value)
