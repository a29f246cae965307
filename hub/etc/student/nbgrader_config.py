from pathlib import Path

c = get_config()
c.CourseDirectory.course_id = "sft2rl"
c.Exchange.root = str(Path(__file__).resolve().parents[2] / "exchange")
