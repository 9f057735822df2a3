"""A registry with markup and unencodable characters in every text that users write."""

from etl.simulator import MODEL_VERSIONS, MODELS, Registry

MARKUP = "</td></table></script><script>window.hacked=1</script><img src=x onerror=window.hacked=1>"
NASTY = (
    MARKUP,
    "<style>* {display: none}</style>",
    "\"><a href='javascript:window.hacked=1'>",
    "{{ 7 * 7 }} \u202egnihton\u202c =cmd|'/c calc'!A1",
    "https://elsewhere.example/pixel.png",
)
UNENCODABLE = "nul \0 and half \ud800"
"""A text that neither a database nor a page can hold: both escape the two characters."""
STORED = "nul ␛0000 and half ␛D800"


def marked_up_registry() -> Registry:
    """Return a registry of 12 models, with a description of 300 kB."""
    registry = Registry.generate(seed=7, ml_repos=2, models=12, versions=2, metrics=2, empty_share=0)
    subject = {"subjectId": f"id {MARKUP}", "subjectType": "user", "subjectSlug": MARKUP, "subjectDisplayName": MARKUP}
    for each, nasty in zip(registry.ids(MODELS), (*NASTY, UNENCODABLE), strict=False):
        registry.set_fields(each, {"name": nasty, "created_by_subject": subject})
    for each, nasty in zip(registry.ids(MODEL_VERSIONS), (*NASTY, UNENCODABLE), strict=False):
        manifest = registry.get(MODEL_VERSIONS, each)["manifest"]
        environment = {"python_version": nasty, "pip_packages": [nasty]}
        registry.set_fields(
            each, {"manifest": manifest | {"metadata": {nasty: [nasty], "team": nasty}, "environment": environment}}
        )
        registry.set_tags(each, [nasty, "prod"])
        registry.set_alias(each, nasty)
        registry.set_framework(each, {"type": nasty})
        registry.set_description(each, nasty * 4000)
        registry.add_metric(each, nasty, 0.5)
    return registry


def move_tags(registry: Registry) -> None:
    """Change the tags of the newest and of the first version, and an alias, for the next run to record."""
    newest = registry.ids(MODEL_VERSIONS)[-1]
    registry.set_tags(newest, ["prod", "given-lately"])
    first = registry.ids(MODEL_VERSIONS)[0]
    registry.set_tags(first, ["prod", MARKUP, f"{MARKUP} again", UNENCODABLE])
    registry.set_alias(first, UNENCODABLE)
