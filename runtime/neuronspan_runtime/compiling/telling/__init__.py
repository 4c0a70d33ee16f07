"""What a compilation leaves behind beside the model: lines on the terminal, files in its working directory.

Law: words, names and places are AWS's; nothing that is told changes the model.
Doors: ``artifacts``, ``coverage``.
"""
