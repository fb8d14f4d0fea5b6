"""Time: schedules, holidays, calendars, and who is available when."""

import zoneinfo

zoneinfo.reset_tzpath(to=())  # the pinned tzdata package, not whatever the machine has
