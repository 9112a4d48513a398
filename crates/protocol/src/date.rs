//! Days, as messages of both sides write them: `2026-11-28`, of the Gregorian calendar, in UTC.

/// The day of a moment in seconds since 1970 (negative before), as `YYYY-MM-DD`.
pub fn day_of(seconds: i64) -> String {
    // Counted from 1 March of the year 0, so that a leap day is the last of its year.
    let days = seconds.div_euclid(86_400) + 719_468;
    let era = days.div_euclid(146_097);
    let day = days.rem_euclid(146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 { (year, month + 3) } else { (year + 1, month - 9) };
    format!("{:04}-{month:02}-{of_month:02}", year + 400 * era)
}

/// The moment at which a day of these numbers begins, in seconds since 1970. Months and days beyond the calendar's count
/// on into what follows.
pub fn start_of_day(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * month + 2) / 5 + day - 1;
    (era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468) * 86_400
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar_and_come_back() {
        for (seconds, day) in [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (951_782_400, "2000-02-29"),
            (951_868_799, "2000-02-29"),
            (1_764_288_000, "2025-11-28"),
            (4_107_542_400, "2100-03-01"),
            (253_402_300_799, "9999-12-31"),
        ] {
            assert_eq!(day_of(seconds), day);
        }
        for n in 0..100_000 {
            let seconds = (n - 20_000) * 86_400;
            let day = day_of(seconds);
            let numbers: Vec<i64> = day.split('-').map(|part| part.parse().unwrap()).collect();
            assert_eq!(start_of_day(numbers[0], numbers[1], numbers[2]), seconds, "{day}");
        }
    }
}
