"""Texts of docker's config.json, right and wrong, and what docker says of them; recorded in golden/docker/configuration.json.

tests/compat/configuration_cases.py DOCKER…     record, with this command of the real docker
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

GOLDEN = Path(__file__).resolve().parents[2] / "golden/docker/configuration.json"
TYPES = (
    '{"psFormat":"X{{.ID}}","HttpHeaders":3}', '{"HttpHeaders":{"a":1}}', '{"HttpHeaders":3,"auths":5,"psFormat":1}', '{"Psformat":1}',
    '{"auths":[]}', '{"auths":{"x":5}}', '{"auths":{"x":{"auth":5}}}', '{"auths":{"x":{"username":[]}}}', '{"auths":{"x":null}}',
    '{"proxies":{"default":{"httpProxy":1}}}', '{"proxies":{"default":"x"}}', '{"proxies":[]}', '{"plugins":{"a":{"b":1}}}',
    '{"plugins":{"a":1}}', '{"plugins":1}', '{"features":{"a":true}}', '{"aliases":[1]}', '{"experimental":5}', '{"pruneFilters":"x"}',
    '{"pruneFilters":[1]}', '{"cliPluginsExtraDirs":{}}', '{"credHelpers":[]}', '{"credsStore":1}', '{"currentContext":1}',
    '{"stackOrchestrator":1}', '{"nodesFormat":true}', '{"psFormat":null,"auths":null,"HttpHeaders":null}', '{"HttpHeaders":{"a":null}}',
    '[]', '"x"', '5', 'true', 'null', '', '   ', '{"psFormat":1e999}', '{"a":1e999}',
)  # fmt: skip
ACCOUNTS = tuple(
    '{"auths":{"x":{"auth":"' + encoded + '"}}}'
    for encoded in (
        "!!", "YQ==", "Onh4", "YWE6Y", "YWE6YmI", "YWE6YmI=", "YW=6", "YWE6\\nYmI=", "Y===", "YWE6YmI=zz", "YWE6YQ=", "YWE6YQ=\\n=", "YWE6YQ\\n==",
        "YWE6YQ==\\n", "=", "YWE6 YQ==", "YWE6YWE6YWE6Y", "é",
    )
)  # fmt: skip
SYNTAX = (
    '{"a":1} trailing', '{"a":1}{"b":2}', '{"a" 1}', '{"a":1,}', "{a:1}", '{"a":tru}', '{"a":"x', '{"a":"\x01"}', '{"a":"\\q"}', '{"a":01}',
    '{"a":1.}', '{"a":-}', '{"a":1e}', '{"a":1e+}', '{"a":-0}', '{"a":[1,]}', '{"a":[1 2]}', '{"a":[', '\ufeff{}', "nul", "}", "]", ",",
    '{"a":1', '{"a":', '{"a"', '{"', "{", "[1", '{"a":1 "b":2}', "{'a':1}", '{"a":"\t"}', '{"a":"\n"}', '{"a":NaN}', '{"a":Infinity}',
    '{"a":-Infinity}', '{"a":"\\ud800"}', '{"a":"\\ud83d\\ude00"}', '{"a":"\\u00e9"}', '{"é":x}', '{"a":é}', "{{", "[[]", '{"a":{}}}', "tru e",
)  # fmt: skip
CASES = (*TYPES, *ACCOUNTS, *SYNTAX)


def told(command: list[str], text: str) -> str:
    """Return what docker says of a configuration, without the lead that names the file."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "config.json").write_text(text, encoding="utf-8")
        words = [*command, "--config", folder, "ps", "-q", "--filter", "name=no-such-name"]
        finished = subprocess.run(words, capture_output=True, text=True, check=True)
        return finished.stderr.removesuffix("\n").removeprefix(
            f"WARNING: Error parsing config file ({folder}/config.json): "
        )


if __name__ == "__main__":
    answers = [{"text": text, "told": told(sys.argv[1:], text)} for text in CASES]
    lines = ",\n".join(json.dumps(answer, ensure_ascii=False) for answer in answers)
    GOLDEN.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
