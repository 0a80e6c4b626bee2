"""ScorecardFunction: a finished transcript becomes a scorecard, a report and an e-mail.

The way of a call: `callback` (what arrives), `readiness` (whether the transcript can be scored: yes, not yet, never),
`pipeline` (the steps in order, and what is stored between them), `scoring` (one call: measured, coached, written down).

Measured: `speakers` and `role_signals` (who is the rep), `turns` (recordings with channels), `metrics` (who talked how
much), `english` (its word lists), `sentiment` (where the customer's wording changed).

Coached: `coachable` (whether there is enough of a call), `question` (what is asked), `coach` (which model, and what is
asked again), `reply` (what comes back), `coaching` (what may be published of it), `rubric`, `wording` (its prose).

Proven: `evidence` (whether a quote was really said), `tokens` and `numerals` (what counts as the same words).

Shown: `scorecard` (the published shape), `phrases` (its wording), `mail`, `report`, `rendering` (their templates).
"""
