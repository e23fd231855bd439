"""Bad models, bad data and bad files, sent through the real workflows: each must be refused by the gate meant for it.

`rows.py` draws the data, whose truth is known; `world.py` makes the repositories that saboteurs start from;
`changes.py` says what they do, `saboteurs.py` lists them with what must stop each; `trial.py` pushes one.
"""
