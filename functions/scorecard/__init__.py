"""ScorecardFunction: a finished transcript becomes a scorecard, a report and an e-mail.

callback     what arrives
pipeline     the steps in order, and what is stored between them
speakers     who is the rep
metrics      who talked how much
sentiment    where the customer's wording changed
coaching     what is asked of the language model, and what of its answer is kept
evidence     whether a quote was really said
scorecard    the published shape
report       the page and the e-mail
"""
