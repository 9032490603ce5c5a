"""The page of the sequential calibration as Markdown."""


def page(rows):
    return ""
