"""The planner's working state: what is decided so far, and what that stands on.

Law: nothing here decides; it is kept from pass to pass, and what is kept says what a look at everything would say.
"""
