"""A certificate authority of the tests' own, a server's certificate and a client's."""

import subprocess

DAYS = "2"
EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
NAMES = "subjectAltName=IP:127.0.0.1,DNS:localhost"


def openssl(*words):
    done = subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True)
    if done.returncode != 0:
        raise OSError("openssl %s: %s" % (words[0], done.stderr))


class Certificates:
    """`ca`: whom to trust; `server`: key and certificate in one file; `client`, `client_key`;
    `stranger`: an authority that has signed nothing here."""

    def __init__(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.ca = self._authority("ca")
        self.stranger = self._authority("stranger")
        certificate, key = self._signed("server", NAMES)
        self.server = folder / "server.pem"
        self.server.write_text(key.read_text() + certificate.read_text())
        self.client, self.client_key = self._signed("client", "extendedKeyUsage=clientAuth")

    def _authority(self, name):
        path = self.folder / (name + ".crt")
        key = self.folder / (name + ".key")
        if not path.exists():
            subject = ["-subj", "/CN=" + name, "-days", DAYS]
            openssl("req", "-x509", *EC, *subject, "-keyout", key, "-out", path)
        return path

    def _signed(self, name, extension):
        path, key = self.folder / (name + ".crt"), self.folder / (name + ".key")
        if not path.exists():
            request, more = self.folder / (name + ".csr"), self.folder / (name + ".ext")
            more.write_text(extension + "\n")
            openssl("req", "-new", *EC, "-subj", "/CN=" + name, "-keyout", key, "-out", request)
            openssl(
                "x509", "-req", "-in", request, "-days", DAYS, "-extfile", more, "-out", path,
                "-CA", self.ca, "-CAkey", self.folder / "ca.key", "-CAcreateserial",
            )
        return path, key
