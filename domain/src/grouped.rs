//! Whole numbers as people read them. Called wherever a sentence has a figure.

/// `12,345`
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 commit`, `2 commits`, `12,345 commits`; `2 branches`, `2 repositories`.
pub fn counted(number: u64, one: &str) -> String {
    let plural = match one.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u'])) {
        _ if number == 1 => one.to_owned(),
        Some(stem) => format!("{stem}ies"),
        None if one.ends_with("ch") => format!("{one}es"),
        None => format!("{one}s"),
    };
    format!("{} {plural}", grouped(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn big_numbers_are_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (100_000, "100,000"), (1_000_000, "1,000,000")]
        {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn what_is_counted_is_one_or_several() {
        for (number, one, text) in [
            (1, "commit", "1 commit"),
            (0, "commit", "0 commits"),
            (12_345, "commit", "12,345 commits"),
            (2, "branch", "2 branches"),
            (2, "repository", "2 repositories"),
            (1, "copy", "1 copy"),
            (3, "day", "3 days"),
        ] {
            assert_eq!(counted(number, one), text);
        }
    }
}
