"""Certificates for tests of TLS, made by the openssl program."""

import shutil
import subprocess

import pytest


def make_certificates(folder):
    """NAME.pem and NAME.key: of a root `ca`, its `server` and `client`, and a `stranger` of another root. Skips
    without openssl."""
    if shutil.which("openssl") is None:
        pytest.skip("the openssl program is not there: no certificates can be made")

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, timeout=60)

    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    for root in ("ca", "stranger_ca"):
        openssl(
            "req", "-x509", *new, "-days", "2", "-subj", f"/CN={root}", "-keyout", f"{root}.key", "-out", f"{root}.pem"
        )
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1")
    for name, root in (("server", "ca"), ("client", "ca"), ("stranger", "stranger_ca")):
        openssl("req", *new, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        signing = ("-CA", f"{root}.pem", "-CAkey", f"{root}.key", "-CAcreateserial", "-days", "2", "-extfile", "names")
        openssl("x509", "-req", "-in", f"{name}.csr", *signing, "-out", f"{name}.pem")
    return folder
