import sys

# jsonschema would check IRIs with it, which no notebook has; to import it takes 0.8 seconds.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
