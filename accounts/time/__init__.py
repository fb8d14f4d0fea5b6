"""Time: schedules, holidays, calendars, and who is available when."""
