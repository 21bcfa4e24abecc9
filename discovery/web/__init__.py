"""The review pages: what :mod:`discovery.review` tells, in a browser on this machine.

Pages are rendered from templates, pictures are drawn by small scripts from the JSON that the same functions give. A
page never writes: the ledger is opened to look at only. Whatever models and candidates wrote is text, here and in
the browser.
"""
