"""Run as a student: prints, as JSON, what of other people's things could be reached.

python probe.py PREFIX CLONE [--read-only]
"""

import glob
import importlib.util
import json
import os
import sys
import urllib.error
import urllib.request

PREFIX, CLONE = sys.argv[1:3]
COURSE, EXCHANGE = f"{PREFIX}/course", f"{PREFIX}/exchange"
reached = []


def attempt(what, action):
    try:
        action()
    except (OSError, urllib.error.URLError, ValueError):
        return
    reached.append(what)


for path in [
    "/home/ada",
    "/home/ada/01_tokenizer/tokenizer.ipynb",
    "/home/ada/.local/share/jupyter/runtime",
    "/home/grader-sft2rl",
    COURSE,
    f"{COURSE}/gradebook.db",
    f"{COURSE}/key",
    f"{COURSE}/submitted/ada/01_tokenizer/tokenizer.ipynb",
    f"{PREFIX}/project",
    f"{PREFIX}/project/solutions/01_tokenizer/tokenizer.py",
    f"{PREFIX}/project/autograder/suites/test_01_tokenizer",
    f"{PREFIX}/staff",
    f"{PREFIX}/hub",
    f"{PREFIX}/hub/jupyterhub.sqlite",
    f"{CLONE}/solutions",
    f"{CLONE}/autograder/suites/test_01_tokenizer",
    f"{EXCHANGE}/sft2rl/inbound",
    f"{EXCHANGE}/sft2rl/feedback",
]:
    attempt(path, lambda path=path: os.listdir(path) if os.path.isdir(path) else open(path).close())

if "--read-only" not in sys.argv:
    attempt("write outbound", lambda: open(f"{EXCHANGE}/sft2rl/outbound/x", "w").close())
    attempt("write feedback", lambda: open(f"{EXCHANGE}/sft2rl/feedback/x", "w").close())
    attempt("move the course", lambda: os.rename(f"{EXCHANGE}/sft2rl", f"{EXCHANGE}/mine"))
    attempt("write the environment", lambda: open(f"{sys.prefix}/x", "w").close())


def read_environment(process):
    if os.stat(process).st_uid == os.getuid() or not open(f"{process}/environ", "rb").read(1):
        raise ValueError


for process in glob.glob("/proc/[0-9]*"):
    attempt(process, lambda process=process: read_environment(process))

if importlib.util.find_spec("autograder"):
    reached.append("import autograder")
for _, folders, files in os.walk(sys.prefix):
    names = {*folders, *files}
    reached += sorted(names & {"suites", "solutions", "zoo", "autograder", "test_01_tokenizer"})

api, token = os.environ.get("JUPYTERHUB_API_URL"), os.environ.get("JUPYTERHUB_API_TOKEN")
if api:
    for path in ("users", "users/ada", "services/sft2rl", "groups/formgrade-sft2rl"):
        request = urllib.request.Request(
            f"{api}/{path}", headers={"Authorization": f"token {token}"}
        )
        attempt(f"hub api {path}", lambda request=request: urllib.request.urlopen(request))

print(json.dumps({"user": os.getuid(), "reached": reached, "api": bool(api)}))
