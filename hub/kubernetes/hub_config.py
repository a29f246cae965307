"""Who gets which server on Kubernetes; read by the hub after the chart's own configuration.

Students and staff run in images of their own. Every user has a Unix id of their own, which follows
from their name: so the owner of what lies in the shared exchange says who put it there.
"""

import hashlib

c = get_config()

COURSE = "sft2rl"
GRADERS = f"formgrade-{COURSE}"
GRADER_UID = 1000
GPU = {
    "extra_resource_limits": {"nvidia.com/gpu": "1"},
    "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
    "mem_limit": "16G",
}


def uid_of(name: str) -> int:
    """A student's Unix id; `autograder.nbgrader_parts.collect` knows the same rule."""
    return 1_000_000 + int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") % 10**9


def is_staff(spawner) -> bool:
    return GRADERS in {group.name for group in spawner.user.groups}


def profiles(spawner) -> list[dict]:
    """The choices a user has; the hub refuses any other."""
    cpu = {"display_name": "CPU", "slug": "cpu", "default": True}
    gpu = {"display_name": "CPU and one GPU", "slug": "gpu", "kubespawner_override": GPU}
    if not is_staff(spawner):
        return [cpu, gpu]
    staff = staff_server(spawner)
    return [
        {
            "display_name": "Grading",
            "slug": "grading",
            "default": True,
            "kubespawner_override": staff,
        },
        {
            "display_name": "Grading with one GPU",
            "slug": "grading-gpu",
            "kubespawner_override": {**staff, **GPU},
        },
        {**cpu, "display_name": "As a student", "default": False},
    ]


def staff_server(spawner) -> dict:
    """The grader's image, the course's folder and gradebook, and what the sandbox needs."""
    course = {"name": "course", "persistentVolumeClaim": {"claimName": "sft2rl-course"}}
    url = {"secretKeyRef": {"name": "gradebook", "key": "url"}}
    return {
        "image": spawner.environment["STAFF_IMAGE"],
        "cmd": ["staff-server"],
        "default_url": "/course",
        "uid": GRADER_UID,
        "volumes": [*spawner.volumes, course],
        "volume_mounts": [
            *spawner.volume_mounts,
            {"name": "course", "mountPath": "/srv/sft2rl/course"},
        ],
        "environment": {
            **spawner.environment,
            "GRADEBOOK_URL": {"name": "GRADEBOOK_URL", "valueFrom": url},
        },
        # By this label the policy in storage.yaml lets the staff reach the database.
        "extra_labels": {**spawner.extra_labels, "sft2rl/staff": "true"},
        # Bubblewrap makes namespaces of its own inside the container (docs/sandbox.md).
        "extra_pod_config": {"hostUsers": False},
        "extra_container_config": {
            "securityContext": {
                "procMount": "Unmasked",
                "seccompProfile": {"type": "Unconfined"},
                "allowPrivilegeEscalation": False,
                "runAsUser": GRADER_UID,
            }
        },
    }


c.KubeSpawner.profile_list = profiles
c.KubeSpawner.uid = lambda spawner: uid_of(spawner.user.name)
c.KubeSpawner.environment = {
    **c.KubeSpawner.environment,
    "USER": lambda spawner: spawner.user.name,
}
