"""Tests cmake/download_cifar10.cmake with small archives and a local server.

    python3 download_cifar10_test.py --cmake CMAKE --script SCRIPT [unittest's own arguments]
"""

import argparse
import collections
import hashlib
import http.server
import io
import os
import pathlib
import random
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import unittest

ARCHIVE = "cifar-10-binary.tar.gz"
FOLDER = "cifar-10-batches-bin"
LOCK = ".cifar10.lock"
BATCHES = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]
RECORD = 3073  # one label and 3 x 32 x 32 pixels

OFFICIAL_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
OFFICIAL_MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
OFFICIAL_SIZE = 170052171

options = argparse.Namespace()


def make_files(seed):
    rng = random.Random(seed)
    files = {name: rng.randbytes(4 * RECORD) for name in BATCHES}
    files["batches.meta.txt"] = b"airplane\nautomobile\n"
    files["readme.html"] = b"<html></html>"
    return files


def pack(files, folder=FOLDER):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(f"{folder}/{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def flip_byte(data):
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 0x55]) + data[middle + 1:]


def md5(data):
    """Also what tests compare by: a diff of two random files would take unittest hours to print."""
    return hashlib.md5(data).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Serves `pages`, counts the requests, and misbehaves as told."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.pages = {}
        self.requests = collections.Counter()
        self.cut = False        # close the connection after half of the body
        self.delay = 0          # seconds between the two halves
        self.half_sent = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def handle_error(self, request, client_address):
        pass  # a client that was killed is part of a test

    def url(self, path):
        return f"http://127.0.0.1:{self.server_port}{path}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests[self.path] += 1
        body = self.server.pages.get(self.path)
        if body is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        half = len(body) // 2
        self.wfile.write(body[:half])
        self.wfile.flush()
        self.server.half_sent.set()
        time.sleep(self.server.delay)
        if not self.server.cut:
            self.wfile.write(body[half:])

    def do_CONNECT(self):  # the script was told to use this server as its proxy for https
        self.server.requests[self.path] += 1
        self.send_error(502)

    def log_message(self, *args):
        pass


class DownloadTest(unittest.TestCase):
    def setUp(self):
        temp = tempfile.TemporaryDirectory()
        self.addCleanup(temp.cleanup)
        self.temp = pathlib.Path(temp.name).resolve()
        self.dir = self.temp / "a folder" / "nested"
        self.archive = self.dir / ARCHIVE
        self.folder = self.dir / FOLDER
        self.server = Server()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.files = make_files(seed=1)
        self.good = pack(self.files)
        self.server.pages["/good"] = self.good

    def requests(self):
        return sum(self.server.requests.values())

    def command(self, definitions):
        return [options.cmake, *(f"-D{k}={v}" for k, v in definitions.items()),
                "-P", options.script]

    def environment(self, **extra):
        kept = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        return kept | extra

    def run_raw(self, definitions, **extra):
        """The exit status and all of the output, with the line breaks that CMake adds removed."""
        done = subprocess.run(self.command(definitions), env=self.environment(**extra),
                              cwd=self.temp, timeout=60, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.output = done.stdout
        return done.returncode, " ".join(done.stdout.split())

    def definitions(self, **changes):
        return {"DIR": self.dir, "URL": self.server.url("/good"), "MD5": md5(self.good),
                "SIZE": len(self.good)} | changes

    def succeed(self, **changes):
        code, text = self.run_raw(self.definitions(**changes))
        self.assertEqual(code, 0, self.output)
        return text

    def fail_with(self, *words, **changes):
        code, text = self.run_raw(self.definitions(**changes))
        self.assertNotEqual(code, 0, self.output)
        for word in words:
            self.assertIn(str(word), text)

    def snapshot(self):
        """What is in DIR, with what tells a file that was kept from one that was written anew."""
        return {str(p.relative_to(self.dir)): (p.stat().st_ino, p.stat().st_mtime_ns,
                                               md5(p.read_bytes()))
                for p in self.dir.rglob("*") if p.is_file() and p.name != LOCK}

    def assert_complete(self, archive=None, files=None):
        """The archive and the folder are as wanted, and nothing else is left in DIR."""
        self.assertEqual({p.name for p in self.dir.iterdir()}, {ARCHIVE, FOLDER, LOCK})
        self.assertEqual(md5(self.archive.read_bytes()), md5(archive or self.good))
        self.assertEqual({p.name: md5(p.read_bytes()) for p in self.folder.iterdir()},
                         {name: md5(data) for name, data in (files or self.files).items()})

    def assert_nothing_left(self):
        self.assertEqual({p.name for p in self.dir.iterdir()} - {LOCK}, set())

    # --- what works ---

    def test_fresh_download(self):
        self.succeed()
        self.assert_complete()
        self.assertEqual(self.requests(), 1)
        self.assertEqual(self.output.splitlines()[-1], f"REGTORCH_CIFAR10_ROOT={self.folder}")
        self.assertIn("100% complete", self.output)

    def test_second_run_changes_nothing(self):
        self.succeed()
        before = self.snapshot()
        self.succeed()
        self.assertEqual(self.snapshot(), before)
        self.assertEqual(self.requests(), 1)
        self.assertEqual(self.output.splitlines()[-1], f"REGTORCH_CIFAR10_ROOT={self.folder}")

    def test_file_url(self):
        source = self.temp / "source archive.tar.gz"
        source.write_bytes(self.good)
        self.succeed(URL=source.as_uri())
        self.assert_complete()
        source.unlink()
        self.succeed(URL=source.as_uri())
        self.assertEqual(self.requests(), 0)

    def test_default_dir_is_data_in_the_working_directory(self):
        definitions = self.definitions()
        del definitions["DIR"]
        code, _ = self.run_raw(definitions)
        self.assertEqual(code, 0, self.output)
        self.dir = self.temp / "data"
        self.archive, self.folder = self.dir / ARCHIVE, self.dir / FOLDER
        self.assert_complete()

    def test_relative_dir(self):
        self.succeed(DIR="a folder/nested/")
        self.assert_complete()
        self.assertEqual(self.output.splitlines()[-1], f"REGTORCH_CIFAR10_ROOT={self.folder}")

    def test_uppercase_md5(self):
        self.succeed(MD5=md5(self.good).upper())
        self.assert_complete()

    def test_two_runs_at_once_download_once(self):
        self.server.delay = 0.5
        runs = [subprocess.Popen(self.command(self.definitions()), env=self.environment(),
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
                for _ in range(2)]
        outputs = [run.communicate(timeout=60)[0] for run in runs]
        self.assertEqual([run.returncode for run in runs], [0, 0], outputs)
        self.assertEqual(self.requests(), 1)
        self.assert_complete()

    # --- what is repaired ---

    def test_broken_archive_is_replaced_and_the_good_folder_kept(self):
        self.succeed()
        folder_before = {k: v for k, v in self.snapshot().items() if k != ARCHIVE}
        for n, broken in enumerate([self.good[:-100], flip_byte(self.good), b""], start=2):
            self.archive.write_bytes(broken)
            self.succeed()
            self.assert_complete()
            self.assertEqual(self.requests(), n)
            folder_after = {k: v for k, v in self.snapshot().items() if k != ARCHIVE}
            self.assertEqual(folder_after, folder_before)

    def test_damaged_folder_is_repaired_without_a_download(self):
        self.succeed()
        for name in (*BATCHES, "batches.meta.txt"):
            damaged = self.folder / name
            for damage in ("missing", "truncated", "flipped", "directory"):
                with self.subTest(name=name, damage=damage):
                    data = damaged.read_bytes()
                    damaged.unlink()
                    if damage == "truncated":
                        damaged.write_bytes(data[:-1])
                    elif damage == "flipped":
                        damaged.write_bytes(flip_byte(data))
                    elif damage == "directory":
                        damaged.mkdir()
                    self.succeed()
                    self.assert_complete()
        self.assertEqual(self.requests(), 1)

    def test_missing_folder_is_unpacked_without_a_download(self):
        self.dir.mkdir(parents=True)
        self.archive.write_bytes(self.good)
        self.succeed()
        self.assert_complete()
        self.assertEqual(self.requests(), 0)

    def test_a_link_to_a_damaged_folder_is_replaced_but_not_what_it_points_to(self):
        self.succeed()
        elsewhere = self.temp / "elsewhere"
        self.folder.rename(elsewhere)
        (elsewhere / "test_batch.bin").unlink()
        self.folder.symlink_to(elsewhere, target_is_directory=True)
        self.succeed()
        self.assert_complete()
        self.assertFalse(self.folder.is_symlink())
        self.assertEqual(len(list(elsewhere.iterdir())), len(self.files) - 1)

    def test_another_archive_replaces_both(self):
        self.succeed()
        files = make_files(seed=2)
        other = self.server.pages["/other"] = pack(files)
        self.succeed(URL=self.server.url("/other"), MD5=md5(other), SIZE=len(other))
        self.assert_complete(other, files)

    def test_killed_run_is_recovered_from(self):
        self.server.delay = 30
        run = subprocess.Popen(self.command(self.definitions()), env=self.environment(),
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.assertTrue(self.server.half_sent.wait(30))
        run.kill()
        run.wait()
        self.assertFalse(self.archive.exists())
        self.assertFalse(self.folder.exists())
        self.server.delay = 0
        self.succeed()
        self.assert_complete()

    def test_leftovers_of_a_killed_run(self):
        half_unpacked = self.dir / ".unpack" / "new" / FOLDER
        half_unpacked.mkdir(parents=True)
        (half_unpacked / "left.bin").write_bytes(b"x")
        (self.dir / f"{ARCHIVE}.part").write_bytes(self.good)
        self.succeed()
        self.assert_complete()
        self.assertEqual(self.requests(), 0, "a complete .part needs no download")

    # --- what is refused ---

    def test_wrong_md5_from_the_server(self):
        bad = self.server.pages["/bad"] = flip_byte(self.good)
        self.fail_with(md5(self.good), md5(bad), self.server.url("/bad"),
                       URL=self.server.url("/bad"))
        self.assert_nothing_left()

    def test_wrong_size_from_the_server(self):
        self.server.pages["/page"] = b"<html>try later</html>"
        self.fail_with(f"wanted {len(self.good)} bytes", "came 22 bytes",
                       URL=self.server.url("/page"))
        self.assert_nothing_left()

    def test_size_alone_is_checked(self):
        self.fail_with("wanted 7 bytes", f"came {len(self.good)} bytes", SIZE=7)

    def test_earlier_good_copy_survives_a_failed_run(self):
        self.succeed()
        before = self.snapshot()
        other = pack(make_files(seed=2))
        pages = self.server.pages
        pages["/bad"] = flip_byte(other)
        pages["/page"] = b"no"
        no_folder = pages["/no_folder"] = pack(self.files, folder="cifar-100-binary")
        for url, wanted in (("/bad", other), ("/page", other), ("/absent", other),
                            ("/no_folder", no_folder)):
            with self.subTest(url=url):
                self.fail_with(URL=self.server.url(url), MD5=md5(wanted), SIZE=len(wanted))
                after = self.snapshot()
                after.pop(f"{ARCHIVE}.part", None)
                self.assertEqual(after, before)
        self.succeed()
        self.assertEqual(self.snapshot(), before)

    def test_404_names_the_url(self):
        self.fail_with(self.server.url("/absent"), "Cannot download",
                       URL=self.server.url("/absent"))
        self.assert_nothing_left()

    def test_missing_file_url_names_the_url(self):
        url = (self.temp / "absent.tar.gz").as_uri()
        self.fail_with(url, "Cannot download", URL=url)
        self.assert_nothing_left()

    def test_connection_cut_in_the_middle(self):
        self.server.cut = True
        self.fail_with("Cannot download", self.server.url("/good"))
        self.assert_nothing_left()
        self.server.cut = False
        self.succeed()
        self.assert_complete()

    def test_archive_without_the_folder(self):
        bad = self.server.pages["/bad"] = pack(self.files, folder="cifar-100-binary")
        self.fail_with(f"wanted in it: {FOLDER}/", URL=self.server.url("/bad"), MD5=md5(bad),
                       SIZE=len(bad))
        self.assertFalse(self.folder.exists())
        self.assertFalse((self.dir / ".unpack").exists())
        self.succeed()
        self.assert_complete()

    def test_archive_without_one_of_the_files(self):
        for name in (*BATCHES, "batches.meta.txt"):
            with self.subTest(name=name):
                bad = pack({k: v for k, v in self.files.items() if k != name})
                self.server.pages["/bad"] = bad
                self.fail_with(f"wanted in it: {FOLDER}/{name}", URL=self.server.url("/bad"),
                               MD5=md5(bad), SIZE=len(bad))
                self.assertFalse(self.folder.exists())

    def test_archive_that_is_none(self):
        bad = self.server.pages["/bad"] = b"not a tar file" * 100
        self.fail_with("Cannot unpack", URL=self.server.url("/bad"), MD5=md5(bad), SIZE=len(bad))
        self.assertFalse(self.folder.exists())
        self.assertFalse((self.dir / ".unpack").exists())

    def test_dir_is_a_file(self):
        file = self.temp / "file"
        file.write_bytes(b"mine")
        for path in (file, file / "below"):
            with self.subTest(path=path):
                self.fail_with("cannot be created", path, DIR=path)
        self.assertEqual(file.read_bytes(), b"mine")
        self.assertEqual(self.requests(), 0)

    def test_file_where_the_folder_should_be(self):
        self.dir.mkdir(parents=True)
        self.folder.write_bytes(b"mine")
        self.fail_with("there is a file", self.folder)
        self.assertEqual(self.folder.read_bytes(), b"mine")
        self.assertEqual(self.requests(), 0)

    def test_folder_where_the_archive_should_be(self):
        self.archive.mkdir(parents=True)
        self.fail_with("there is a folder", self.archive)
        self.assertTrue(self.archive.is_dir())

    # --- the official archive, without fetching it ---

    def test_official_url(self):
        proxy = f"http://127.0.0.1:{self.server.server_port}"
        code, text = self.run_raw({"DIR": self.dir}, https_proxy=proxy)
        self.assertNotEqual(code, 0)
        self.assertIn(f"URL: {OFFICIAL_URL} ", text)
        self.assertEqual(self.server.requests, {"www.cs.toronto.edu:443": 1})

    def test_official_size_and_md5(self):
        definitions = {"DIR": self.dir, "URL": self.server.url("/good")}
        code, text = self.run_raw(definitions)
        self.assertNotEqual(code, 0)
        self.assertIn(f"wanted {OFFICIAL_SIZE} bytes", text)
        code, text = self.run_raw(definitions | {"SIZE": len(self.good)})
        self.assertNotEqual(code, 0)
        self.assertIn(f"wanted {OFFICIAL_MD5}, came {md5(self.good)}", text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, add_help=False)
    parser.add_argument("--cmake", required=True)
    parser.add_argument("--script", required=True)
    rest = parser.parse_known_args(namespace=options)[1]
    options.script = str(pathlib.Path(options.script).resolve())  # tests change the working folder
    unittest.main(argv=[sys.argv[0], *rest])
