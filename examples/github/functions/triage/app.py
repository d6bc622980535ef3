"""Says how urgent an issue is, and whose it may be: words instead of a model, to keep it small."""

SEVERE = ("crash", "data loss", "security", "hang")
TEAMS = {"docs": ("readme", "spelling", "notes", "documentation"), "core": SEVERE}


def handler(issue, context):
    text = f"{issue['title']} {issue.get('text') or ''}".lower()
    team = next((name for name, words in TEAMS.items() if any(w in text for w in words)), "support")
    return {
        "issue": f"{issue['repository']}#{issue['number']}",
        "severity": "high" if any(word in text for word in SEVERE) else "low",
        "team": team,
    }
