from pathlib import Path

c = get_config()
# Other users of the machine can listen to a kernel's TCP ports.
c.KernelManager.transport = "ipc"
c.CourseDirectory.course_id = "sft2rl"
c.Exchange.root = str(Path(__file__).resolve().parents[2] / "exchange")
c.Authenticator.plugin_class = "nbgrader.auth.JupyterHubAuthPlugin"
