"""Bake files, right and wrong, and what `docker buildx bake --print` and `--list` say of them; recorded in golden/docker/bake/cases.json.

tests/compat/bake_cases.py DOCKER…     record, with this command of the real docker; run it where that docker sees the folders under /tmp

Only what docker says the same way each time is here: of several things that are wrong it tells any one first.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

GOLDEN = Path(__file__).resolve().parents[2] / "golden/docker/bake/cases.json"


class Case(NamedTuple):
    """Files by name, the words behind `buildx bake`, variables (docker's stand-in passes DOCKER_ and COMPOSE_ ones), standard input."""

    name: str
    files: dict[str, str]
    words: tuple[str, ...] = ("--print",)
    environment: dict[str, str] = {}
    stdin: str = ""


def expression(text: str) -> Case:
    """One expression as a build argument."""
    return Case(
        f"expression {text}", {"docker-bake.hcl": f'target "default" {{\n  args = {{\n    v = {text}\n  }}\n}}\n'}
    )


def attribute(text: str) -> Case:
    """One attribute of a target."""
    return Case(f"attribute {text}", {"docker-bake.hcl": f'target "default" {{\n  {text}\n}}\n'})


def variable(type: str, *, default: str = "", environment: dict[str, str] | None = None) -> Case:
    """One variable, with what the environment says of it."""
    lines = [f"  type = {type}"] * bool(type) + [f"  default = {default}"] * bool(default)
    body = "\n".join(lines)
    source = f'variable "DOCKER_X" {{\n{body}\n}}\ntarget "default" {{\n  args = {{ v = jsonencode(DOCKER_X) }}\n}}\n'
    return Case(
        f"variable {type} {default} {environment or {}}", {"docker-bake.hcl": source}, ("--print",), environment or {}
    )


def syntax(text: str) -> Case:
    """A file that is wrong, or odd, as a whole."""
    return Case(f"syntax {text!r}", {"docker-bake.hcl": text})


def read_json(text: str) -> Case:
    return Case(f"json {text!r}", {"docker-bake.json": text})


EXPRESSIONS = r"""
1.0
1e3
0.1 + 0.2
1 / 3
length(["a"]) / 3
1 / 0
0 / 0
7 % 3
-7 % 3
7.5 % 2
null + 1
"a" + 1
"5" * "2"
!true
!"x"
true && "false"
nope && true
1 == "1"
[1] == [1]
{a = 1} == {a = 1}
1 < 2 ? "yes" : "no"
true ? 1 : "x"
true ? [1] : "x"
null ? 1 : 2
"x" ? 1 : 2
jsonencode(true ? [1, "a"] : ["b"])
jsonencode(false ? {a = 1} : {b = "x"})
[for x in ["a", "b"]: upper(x)][1]
jsonencode({for k, v in {a = 1, b = 2}: v => k if v > 1})
jsonencode({for x in ["a", "b", "a"]: x => 1...})
jsonencode({for x in ["a", "a"]: x => 1})
jsonencode([for x in null: x])
jsonencode([for x in 5: x])
jsonencode([for x in ["a"]: x if null])
jsonencode([for x in ["a"]: x if "z"])
[{a = 1}, {a = 2}][*].a[1]
jsonencode([{a = [1]}, {a = [2]}].*.a.0)
jsonencode(null[*])
jsonencode("x"[*])
{a = {b = "c"}}.a.b
{a = {b = "c"}}["a"]["b"]
["a"][1]
["a"][-1]
["a"][0.5]
["a"]["x"]
{a = 1}.b
"x".b
nope
nope.foo
"a${1 + 1}b"
"${true}"
"$${x} %%{y}"
"%{ if true }yes%{ else }no%{ endif }"
"%{ for x in ["a", "b"] }<${x}>%{ endfor }"
"a ${~ "b" ~} c"
"${null}"
"x${[1]}"
"\u00e9\t\"q\""
"<&>é"
jsonencode("<&>é")
jsonencode({a = 1.5, b = [true, null]})
jsondecode("{\"a\": [1, 2.5]}").a[1]
jsondecode("{")
jsondecode("[1] x")
format("%v %s %q %5d|%-5s|%05.2f %x %t %g", [1], "a", "b", 3, "x", 3.14159, 255, true, 1e30)
format("%[2]s %[1]s %s", "a", "b")
format("%+d % d %06.2f|%-6d|%X %o %b", 5, 5, 2.5, 3, 255, 8, 5)
format("%e %E %f %G", 12345.678, 1.5, 2.5, 1e20)
format("%v", 0.1)
format("%v", 123456789)
format("%d", 1.5)
format("%z", 1)
format("%s")
format("%s", 1, 2)
format("%")
format("%5")
format("%s", null)
jsonencode(formatlist("%s-%d", ["a", "b"], [1, 2]))
jsonencode(formatlist("%s-%d", ["a", "b"], [1]))
try(nope, "x")
can(nope)
can(1)
convert("1", number) + 1
convert("x", number)
jsonencode(convert(["1"], list(number)))
convert("x", strin)
nosuch(1)
uper("a")
upper(1, 2)
upper()
upper(["a", "b"]...)
upper(["a"]...)
upper("é")
lower("ÀB")
title("hello world")
reverse("héx")
strlen("héé")
substr("hello", -3, 2)
substr("hello", 1, -1)
substr("hello", 10, 1)
substr("abc", 0.5, 1)
join("-", ["a"], ["b", "c"])
join(",")
join(",", ["a", null])
join(",", [1, true])
jsonencode(split(",", "a,b,"))
jsonencode(sort(["b", "a", "C"]))
chomp("a\n\n")
indent(2, "a\nb")
trim("xxaxx", "x")
trimprefix("ab", "a")
trimsuffix("ab", "b")
trimspace("  a ")
replace("hello", "l", "L")
regex_replace("abc", "(b)", "<$1>")
regex("a+", "xaay")
jsonencode(regex("(\\d+)-(\\w+)?", "1-"))
jsonencode(regex("(?P<y>\\d+)", "in 2020"))
jsonencode(regexall("[a-c]", "abz"))
regex("(", "x")
regex("a", "x")
basename("/a/b/")
basename("")
dirname("/a/b")
dirname("")
sanitize("a.b/c é")
jsonencode(concat(["a"], [1]))
concat("a")
length("abc")
length([1, 2])
contains(["a"], "a")
element(["a", "b"], 3)
element([], 1)
jsonencode(flatten([[1, [2]], 3]))
jsonencode(distinct(["a", "b", "a"]))
jsonencode(compact(["a", "", "b"]))
jsonencode(chunklist(["a", "b", "c"], 2))
jsonencode(slice(["a", "b", "c"], 1, 3))
slice(["a"], 2, 1)
jsonencode(keys({b = 1, a = 2}))
jsonencode(values({b = 1, a = "x"}))
keys("x")
lookup({a = "1"}, "b", "d")
lookup("x", "b", "d")
jsonencode(merge({a = 1}, {b = 2}, null))
merge("x")
jsonencode(zipmap(["a", "b"], [1, 2]))
jsonencode(range(3))
jsonencode(range(0, 1, 0.25))
range(0, 5000)
jsonencode(reverselist(["a", "b"]))
coalesce(null, "x")
coalesce(null, null)
jsonencode(coalescelist([], ["a"]))
index(["a", "b"], 1)
hasindex(["a"], 0)
indexof(["a", "b"], "b")
indexof(["a"], "b")
jsonencode(setunion(["b"], ["a", "b"]))
jsonencode(setintersection(["a", "b"], ["b"]))
jsonencode(setsubtract(["a", "b"], ["b"]))
jsonencode(setproduct(["a", "b"], [1, 2]))
sethaselement(["a"], "a")
max(1, 3, 2)
min()
absolute(-3)
ceil(1.2)
floor(-1.2)
int(-1.7)
log(8, 2)
pow(2, 0.5)
pow(2, 100)
pow(16, 16)
format("%v", pow(2, 65))
log(1000, 10)
log(7, 3)
pow(1.5, 7)
10000000 / 3
csvdecode("a,a\n1,2\n")
csvdecode("a\n\"x\"y\n")
setunion([1], ["a"])
setsubtract(["a", "b"], ["a"])
jsonencode(1 / 0)
signum(-2)
parseint("ff", 16)
parseint("zz", 10)
parseint(1, 10)
add(1, 2)
divide(1, 4)
modulo(7, 0)
and(true, false)
equal("a", "a")
greaterthan(2, 1)
not(true)
base64encode("é")
base64decode("w6k=")
base64decode("!!")
md5("a")
sha1("a")
sha256("")
urlencode("a b/c")
uuidv5("dns", "a.b")
uuidv5("x", "a.b")
bcrypt("x", 99)
rsadecrypt("a", "b")
csvdecode("a,b\n1,2\n")[0].b
csvdecode("a,b\n1\n")
csvdecode("a,a\n1,2")
formatdate("YYYY-MM-DD hh:mm:ss Z", "2020-01-02T03:04:05+01:00")
formatdate("EEE, DD MMM YYYY 'at' H aa ZZZ", "2020-01-02T13:04:05Z")
formatdate("Q", "2020-01-02T13:04:05Z")
formatdate("YYYY", "x")
formatdate("YYYY", "2020-13-02T13:04:05Z")
timeadd("2020-01-01T00:00:00Z", "1h30m")
timeadd("2020-01-02T13:04:05Z", "1x")
cidrhost("10.0.0.0/8", 5)
cidrhost("10.0.0.0/30", 10)
cidrhost("x", 1)
cidrnetmask("10.0.0.0/8")
cidrsubnet("10.0.0.0/8", 8, 2)
cidrsubnet("10.0.0.0/8", 30, 2)
jsonencode(cidrsubnets("10.0.0.0/8", 4, 8))
BAKE_CMD_CONTEXT
BAKE_LOCAL_PLATFORM
(1 + 2) * 3
1 ||
[1, 2
{a = 1, a = 2}.a
{(1 + 1) = "x"}[2]
{a.b = 1}
"unterminated
'single'
1 & 2
2 ** 3
`x`
a; b
“x”
foo(1
foo(1 2)
"${1"
"${a:b}"
"%{ if true }x"
"%{ endif }"
"%{ foo }"
""".strip().splitlines()

ATTRIBUTES = r"""
tags = "x"
tags = ["b:1", "a:1", "b:1", ""]
tags = [null]
tags = null
args = []
args = {a = [1]}
args = {a = null, b = 1, c = true}
labels = {"a.b" = "$${x}"}
pull = "yes"
pull = true
no-cache = 1
shm-size = 64
shm-size = "x"
description = null
description = "d"
contexts = {a = null}
contexts = {base = "docker-image://busybox", e = ""}
contexts = {x = "target:default"}
contexts = {x = "target:zz"}
context = "-"
context = "./sub/../x"
context = "cwd://foo"
context = "https://github.com/a/b.git"
dockerfile = "-"
dockerfile = ""
dockerfile-inline = "FROM $${x}"
inherits = ["zz"]
inherits = ["default"]
platforms = ["linux/amd64", "linux/arm64", "linux/amd64"]
platforms = ["foo/bar/baz/q"]
network = "host"
network = "foo"
call = "zzz"
target = ""
entitlements = ["security.insecure", "x"]
extra-hosts = {h = "1.2.3.4", b = null}
ulimits = ["nofile=1:2"]
ulimits = ["x"]
annotations = ["a=b", "a=b", ""]
annotations = ["x"]
annotations = ["foo:a=b"]
no-cache-filter = ["x"]
attest = ["type=provenance,mode=max", {type = "sbom", disabled = true}]
attest = ["type=sbom", "type=sbom,disabled=true"]
attest = ["x=y"]
attest = ["type=sbom,disabled=x"]
attest = "x"
secret = ["id=z,env=Q,type=env", {id = "x", src = "docker-bake.hcl"}]
secret = ["foo"]
secret = ["id=x,foo=y"]
secret = ["id=x,src=/no/such"]
secret = [{idd = "x"}]
ssh = ["default=/no/such"]
ssh = [{id = "x", paths = ["docker-bake.hcl"]}]
output = ["type=docker", {type = "image", push = true, name = "foo"}, "out"]
output = ["x", "y", "x"]
output = ["-"]
output = ["type=oci"]
output = ["type=local"]
output = ["type=local,dest=-"]
output = ["docker-bake.hcl"]
output = [{a = "b"}]
output = "x"
output = ["type=zzz"]
cache-from = ["type=gha", {type = "local", src = "b"}, "user/app:cache", ""]
cache-to = ["type=inline"]
cache-to = ["x=y"]
unknown = 1
unknown {}
name = "x"
matrix = 1
matrix = {}
matrix = {a = 1}
matrix = {a = []}
""".strip().splitlines()

VARIABLES = (
    variable("", default="[1]", environment={"DOCKER_X": "3"}),
    variable("", default="true", environment={"DOCKER_X": "maybe"}),
    variable("", default="true", environment={"DOCKER_X": "0"}),
    variable("", default="1", environment={"DOCKER_X": "0.1"}),
    variable("", default="1", environment={"DOCKER_X": "z"}),
    variable("", default="null", environment={"DOCKER_X": "z"}),
    variable("", environment={"DOCKER_X": "z"}),
    variable(""),
    variable("list(string)", environment={"DOCKER_X": 'a,"b,c"'}),
    variable("list(string)", environment={"DOCKER_X": ""}),
    variable("list(number)", environment={"DOCKER_X": "1,x"}),
    variable("list(number)", environment={"DOCKER_X_JSON": '["a"]'}),
    variable("list(string)", environment={"DOCKER_X_JSON": '["a"', "DOCKER_X": "z"}),
    variable("list(string)", environment={"DOCKER_X_JSON": '["a"]', "DOCKER_X": "z"}),
    variable("list(list(string))", environment={"DOCKER_X": "a"}),
    variable("map(number)", environment={"DOCKER_X": "a:1,b:2"}),
    variable("map(string)", environment={"DOCKER_X": "a=1"}),
    variable("map(string)", environment={"DOCKER_X_JSON": '{"a":"b"}'}),
    variable("set(string)", environment={"DOCKER_X": "b,a,a"}),
    variable("tuple([string, number])", environment={"DOCKER_X": "a,2"}),
    variable("tuple([string, number])", environment={"DOCKER_X": "a"}),
    variable("object({a = string, b = optional(number)})", default="{a = 1}"),
    variable("object({a = string})", default="{}"),
    variable("object({a = string})", environment={"DOCKER_X": "a:1"}),
    variable("any", default="{}", environment={"DOCKER_X": "1"}),
    variable("number", default='"x"'),
    variable("number", default='"5"'),
    variable("number"),
    variable("bool", environment={"DOCKER_X": "x"}),
    variable("strin"),
    variable("list"),
    variable("list(string, string)"),
    variable("foo(string)"),
    variable("string(x)"),
)

SYNTAX = (
    "",
    "target default {\n}\n",
    'target "default" {}\n',
    'target "default" "x" {}\n',
    "target {}\n",
    'target "default" { context = "x" }\n',
    'target "default" { context = "x", dockerfile = "y" }\n',
    'target "default" { context = "x"\n}\n',
    'target "default"\n{\n}\n',
    'target "default" = {}\n',
    'target "default" {\n  args = {x = 1}\n  args = {x = 2}\n}\n',
    'target "default" {\n',
    'target "default" {\n  tags = ["a"\n}\n',
    'target "a.b" {}\n',
    'target "default" {\n  "args" = {}\n}\n',
    'target "default" {\n  args\n}\n',
    'target "default" {\n  args = {\n    a = 1 b = 2\n  }\n}\n',
    'target "default" {\n  args = {\n    a 1\n  }\n}\n',
    'target "default" {\n  args = {x = 1},\n}\n',
    'target "${x}" {}\n',
    'target "de\\u0066ault" {}\n',
    "}\n",
    "é = 1\ntarget default {}\n",
    '/* a\nb */ target "default" { // c\n  # d\n  tags = [ # e\n    "a", // f\n  ]\n}\n',
    'target "default" {\n  dockerfile-inline = <<EOT\nFROM x\n  RUN y ${1 + 1}\nEOT\n}\n',
    'target "default" {\n  dockerfile-inline = <<-EOT\n    FROM x\n\n      RUN y ${1 + 1}\n    EOT\n}\n',
    'target "default" {\n  dockerfile-inline = <<-EOT\n    %{ if true ~}\n    FROM x\n    %{ endif ~}\n    EOT\n}\n',
    'target "default" {\n  dockerfile-inline = <<EOT\nFROM x\n',
    'group "default" {}\n',
    'group "default" {\n  targets = "a"\n}\n',
    'group "default" {\n  targets = ["a"]\n  matrix = {}\n}\n',
    'group "default" {\n  targets = ["a", "a"]\n  foo = 1\n  description = "d"\n}\ntarget "a" {}\n',
    'group "default" {\n  targets = ["g"]\n}\ngroup "g" {\n  targets = ["default", "a"]\n}\ntarget "a" {}\n',
    'target "default" {\n  args = { x = target.b.args.x, n = jsonencode(target.b) }\n}\ntarget "b" {\n  args = { x = 1 }\n  tags = ["q"]\n}\n',
    'target "default" {\n  args = { x = target.default.args.x }\n}\n',
    'target "default" {\n  args = { x = target }\n}\n',
    'target "default" {\n  args = { x = target["b"] }\n}\n',
    'target "default" {\n  args = { x = target.nope.args }\n}\n',
    'target "default" {\n  tags = target.b.tags\n}\ntarget "b" {\n  tags = ["t:${target.c.name}"]\n}\ntarget "c" {}\n',
    'variable "A" {\n  default = A\n}\ntarget "default" {}\n',
    'variable "A" {\n  default = "${B}x"\n}\nvariable "B" {\n  default = "b"\n}\ntarget "default" {\n  tags = [A]\n}\n',
    'variable "A" {\n  default = nope\n}\ntarget "default" {}\n',
    'variable "A" {\n  default = 3\n  validation {\n    condition = A > 5\n    error_message = "A is ${A}"\n  }\n}\ntarget "default" {}\n',
    'variable "A" {\n  default = 3\n  validation {\n    condition = A\n    error_message = "x"\n  }\n}\ntarget "default" {}\n',
    'variable "A" {\n  validation {\n    condition = true\n  }\n}\ntarget "default" {}\n',
    'variable "A" "B" {}\ntarget "default" {}\n',
    'variable {}\ntarget "default" {}\n',
    'A = "x"\nB = upper(A)\ntarget "default" {\n  tags = [B]\n}\n',
    'function "f" {\n  params = [a, b]\n  result = "${a}-${b}"\n}\ntarget "default" {\n  tags = [f("x", 1)]\n}\n',
    'function "f" {\n  params = [a]\n  variadic_params = rest\n  result = join("", [a], rest)\n}\n'
    'target "default" {\n  tags = [f("x", "y", "z")]\n}\n',
    'function "f" {\n  params = [a]\n  result = f(a)\n}\ntarget "default" {\n  tags = [f("x")]\n}\n',
    'function "f" {\n  params = [a]\n}\ntarget "default" {}\n',
    'function "f" {\n  params = a\n  result = 1\n}\ntarget "default" {}\n',
    'function "f" {\n  params = ["a"]\n  result = 1\n}\ntarget "default" {}\n',
    'function "f" {\n  params = [a]\n  result = nope\n}\ntarget "default" {}\n',
    'function "f" {\n  params = [a]\n  result = a + 1\n}\ntarget "default" {\n  tags = [f("x")]\n}\n',
    'function "f" {\n  params = [a]\n  result = a\n}\ntarget "default" {\n  tags = [f()]\n}\n',
    'function "upper" {\n  params = [a]\n  result = "mine"\n}\ntarget "default" {\n  tags = [upper("x")]\n}\n',
    'target "default" {\n  name = "d-${x}"\n  matrix = { x = ["b", "a"] }\n  tags = ["t:${x}"]\n}\n',
    'target "default" {\n  name = "d-${x.n}"\n  matrix = { x = [{n = "1", t = "q"}, {n = "2", t = "r"}] }\n  args = { t = x.t }\n}\n',
    'target "default" {\n  name = "same"\n  matrix = { x = ["b", "a"] }\n}\n',
    'target "default" {\n  matrix = { x = ["b", "a"] }\n}\n',
    'target "default" {\n  name = "a b${x}"\n  matrix = { x = ["b"] }\n}\n',
    'target "default" {\n  inherits = ["b", "c"]\n  args = { a = "own" }\n}\ntarget "b" {\n  args = { a = "b", b = "b" }\n  tags = ["b"]\n'
    '  cache-from = ["x"]\n}\n'
    'target "c" {\n  args = { b = "c" }\n  tags = ["c"]\n  cache-from = ["x", "y"]\n  platforms = ["linux/amd64"]\n}\n',
    'target "default" {\n  inherits = ["b"]\n}\ntarget "b" {\n  inherits = ["default"]\n  tags = ["b"]\n}\n',
    'target "default" {\n  contexts = { x = "target:b" }\n}\ntarget "b" {\n  contexts = { y = "target:default" }\n}\n',
    'target "default" {\n  contexts = { x = "target:b" }\n}\ntarget "b" {\n  network = "host"\n  output = ["type=docker"]\n}\n',
    'target "default" {\n  args = { a = 1 }\n}\ntarget "default" {\n  args = { b = 2 }\n}\n',
)

JSONS = (
    '{"target": {"default": {"args": {"a": "${1+1}", "b": null, "c": true}, "tags": ["x"], "//": "comment"}}}',
    '{"group": {"default": {"targets": ["a", "b"]}}, "target": {"a": {}, "b": [{"tags": ["x"]}, {"context": "y"}]}}',
    '{"variable": {"A": {"default": "q"}}, "target": {"default": {"tags": ["t:${A}"]}}}',
    '{"variable": {"A": {"default": "q", "type": "string"}}, "target": {"default": {"tags": ["${upper(A)}"]}}}',
    '{"function": {"f": {"params": ["a"], "result": "<${a}>"}}, "target": {"default": {"args": {"v": "${f(1)}"}}}}',
    '{"target": {"default": {"tags": "x"}}}',
    '{"target": {"default": {"args": {"v": "${nope}"}}}}',
    '{"target": {"default": 5}}',
    '{"target": 5}',
    '{"target": {}}',
    "[]",
    "5",
    '{"a": tru}',
    '{"a": 1} x',
    '{"target": {"default": {"matrix": {"x": ["1"]}, "name": "m-${x}"}}}',
)

COMPOSE = """\
services:
  web.app:
    image: img:1
    build:
      context: ./web
      dockerfile: Dockerfile.web
      args: {A: "1", B: , COMPOSE_X: }
      labels: [a=b]
      tags: [t:1]
      target: prod
      network: host
      shm_size: 64m
      cache_from: [user/app:cache, "type=local,src=c"]
      cache_to: [type=inline]
      extra_hosts: ["h:1.2.3.4"]
      platforms: [linux/amd64]
      ulimits: {nofile: {soft: 1, hard: 2}}
      no_cache: true
      pull: true
      additional_contexts: {base: "service:other", x: docker-image://busybox}
      secrets: [s]
      x-bake:
        tags: [t:2, t:1]
        platforms: linux/arm64
        output: type=docker
        no-cache-filter: [f]
        contexts: {y: ./y}
    environment: {B: envb}
  other:
    build: ./other
  nobuild:
    image: busybox
secrets:
  s: {file: ./docker-bake.hcl}
"""
SIMPLE = 'target "default" {\n  tags = ["a"]\n}\n'
FULL = (
    'group "g" {\n  targets = ["b", "a"]\n  description = "both"\n}\ntarget "a" {\n  description = "the first"\n'
    '  args = { x = "1" }\n  tags = ["a:1"]\n  output = ["type=docker"]\n}\ntarget "b" {}\ntarget "_p" {}\ntarget "ab" {}\n'
    'target "m" {\n  name = "m-${x}"\n  matrix = { x = ["2", "1"] }\n}\n'
)
LISTED = (
    'variable "L" {\n  default = ["a", 1]\n}\nvariable "O" {\n  default = {a = 1}\n}\nvariable "NB" {\n  default = true\n}\n'
    'variable "NN" {\n  type = number\n  description = "a number"\n}\nvariable "S" {\n  type = set(string)\n  default = ["b", "a"]\n}\n'
    'variable "Z" {\n  default = "a\\tb<"\n}\nvariable "E" {}\n'
)


def full(*words: str) -> Case:
    return Case(f"words {' '.join(words)}", {"docker-bake.hcl": FULL}, words)


def changed(*words: str) -> Case:
    sets = tuple(word for each in words for word in ("--set", each))
    return Case(f"set {' '.join(words)}", {"docker-bake.hcl": FULL}, ("--print", "a", *sets))


WORDS = (
    full("--print"),
    full("--print", "g"),
    full("--print", "g", "m-1"),
    full("--print", "a*"),
    full("--print", "m"),
    full("--print", "zz*"),
    full("--print", "zz"),
    full("--print", "a", "--push"),
    full("--print", "b", "--load"),
    full("--print", "b", "--no-cache", "--pull=false", "--sbom=true", "--check"),
    full("--print", "b", "--provenance=mode=max", "--call=outline"),
    full("--print", "a", "--allow", "foo"),
    full("--print", "a", "--progress=foo"),
    full("--print", "a", "--progress=quiet"),
    full("--print", "--list=targets"),
    full("--list=targets"),
    full("--list=type=targets,format=json"),
    full("--list=foo"),
    full("--list=type=targets,format=x"),
    full("--list=type=targets,x=x"),
    full("--list=variables,format=json"),
    full("-f", "nothere.hcl", "--print"),
    Case("variables", {"docker-bake.hcl": LISTED}, ("--list=variables",)),
    Case("variables as JSON", {"docker-bake.hcl": LISTED}, ("--list=type=variables,format=json",)),
    Case("nothing there", {}, ("--print",)),
    Case("stdin", {}, ("-f", "-", "--print"), {}, SIMPLE),
    Case("stdin as JSON", {}, ("-f", "-", "--print"), {}, '{"target": {"default": {}}}'),
    Case("stdin that is wrong", {}, ("-f", "-", "--print"), {}, 'target "default" {\n  tags = 1 2\n}\n'),
    Case("a name that says nothing", {"Bakefile": SIMPLE}, ("-f", "Bakefile", "--print")),
    Case(
        "an override",
        {
            "docker-bake.hcl": SIMPLE,
            "docker-bake.override.hcl": 'target "default" {\n  tags = ["b"]\n  args = { o = 1 }\n}\n',
        },
    ),
    Case(
        "several files",
        {
            "a.hcl": SIMPLE + 'variable "V" {\n  default = "1"\n}\n',
            "b.json": '{"target": {"default": {"args": {"v": "${V}"}}}}',
        },
        ("-f", "a.hcl", "-f", "b.json", "--print"),
    ),
    Case("compose", {"compose.yaml": COMPOSE, "docker-bake.hcl": ""}, ("--print",), {"COMPOSE_X": "from outside"}),
    Case("compose alone", {"c.yml": "services:\n  a:\n    build: .\n"}, ("-f", "c.yml", "--print")),
    Case(
        "compose and HCL",
        {
            "compose.yaml": "services:\n  a:\n    build: ./x\n    image: i\n",
            "docker-bake.hcl": 'target "a" {\n  tags = ["mine"]\n}\n',
        },
        ("--print",),
    ),
    Case("compose with .env", {"compose.yaml": "services:\n  a:\n    build: .\n    image: i:${T}\n", ".env": "T=7\n"}),
    Case("compose without a build", {"compose.yaml": "services:\n  a:\n    image: busybox\n"}),
    changed("a.args.x=2", "a.tags+=b:1", "*.platform=linux/arm64"),
    changed("a.args.y=3", "*.labels.l=v", "a.tags=c:1"),
    changed("a.output=type=image,name=x", "a.context=ctx", "a.dockerfile=df", "a.target=t"),
    changed("a.cache-from=type=local,src=x", "a.cache-to=type=inline", "a.network=none", "a.contexts.base=./b"),
    changed("a.pull=true", "a.no-cache=false", "a.shm-size=64m", "a.call=check", "a.attest=type=sbom"),
    changed("a.annotations=k=v", "a.entitlements=network.host", "a.extra-hosts.h=1.2.3.4", "a.secrets=id=q,env=Q"),
    changed("a.push=true"),
    changed("a.load=true"),
    changed("a.push=x"),
    changed("a.pull=x"),
    changed("a.foo=x"),
    changed("a"),
    changed("a.tags"),
    changed("a.args=x"),
    changed("zz.tags=x"),
    changed("a.args.DOCKER_NOT_THERE"),
    changed("a.labels=x"),
    changed("a.output=x=y"),
)
CASES = (
    *map(expression, EXPRESSIONS),
    *map(attribute, ATTRIBUTES),
    *VARIABLES,
    *map(syntax, SYNTAX),
    *map(read_json, JSONS),
    *WORDS,
)


def steady(text: str) -> str:
    """Return what was said without how long it took."""
    return re.sub(r"(?m)( \d+\.\d+s)(?= done$)", "", re.sub(r"DONE \d+\.\d+s", "DONE 0.0s", text))


def asked(command: list[str], case: Case) -> dict[str, object]:
    """Return what docker says of a case."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="bake-") as folder:
        for name, text in case.files.items():
            Path(folder, name).write_text(text, encoding="utf-8")
        finished = subprocess.run(
            [*command, "buildx", "bake", *case.words],
            cwd=folder,
            env={**os.environ, **case.environment},
            input=case.stdin,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    return {
        "name": case.name,
        "stdout": finished.stdout,
        "stderr": steady(finished.stderr),
        "code": finished.returncode,
    }


if __name__ == "__main__":
    answers = [asked(sys.argv[1:], case) for case in CASES]
    lines = ",\n".join(json.dumps(answer, ensure_ascii=False) for answer in answers)
    GOLDEN.parent.mkdir(exist_ok=True)
    GOLDEN.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
