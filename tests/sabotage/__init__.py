"""Bad models, bad data and bad files, sent through the real workflows: each must be refused by the gate meant for it.

`rows.py` draws the data from a known distribution; `world.py` makes the repositories that saboteurs start from;
`changes.py` has their changes, `saboteurs.py` lists them with the gate that must refuse each; `lab.py` pushes one.
"""
