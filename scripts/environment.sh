# shellcheck shell=bash
# Sourced by quickstart.sh and test.sh: the virtual environment .venv at the repository root.

# environment [EXTRA]: install the project, editable, with the versions that CI runs; does nothing when that is done already.
environment() {
    local extra="${1:-}"
    local stamp=".venv/.installed${extra:+-$extra}"
    local wanted
    wanted="$({ pwd; cat pyproject.toml scripts/constraints.txt; } | sha256sum)"
    if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
        return
    fi
    local python="${PYTHON:-python3}"
    if ! "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))'; then
        echo "this needs Python 3.11, 3.12 or 3.13, but $python is $("$python" -V): name another one in PYTHON" >&2
        exit 1
    fi
    echo "installing into .venv (PyTorch is large: minutes, the first time)" >&2
    "$python" -m venv .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check \
        --constraint scripts/constraints.txt --editable ".${extra:+[$extra]}"
    echo "$wanted" >"$stamp"
}
