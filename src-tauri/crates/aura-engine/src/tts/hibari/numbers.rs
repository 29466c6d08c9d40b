//! English number words, as the lexicon reads them: it splits them at everything that is no letter.

const ONES: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 10] = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
const SCALES: [&str; 12] = [
    "",
    "thousand",
    "million",
    "billion",
    "trillion",
    "quadrillion",
    "quintillion",
    "sextillion",
    "septillion",
    "octillion",
    "nonillion",
    "decillion",
];

/// The number that digits spell; `None` where there is no word for it.
pub(super) fn parse(digits: &str) -> Option<u128> {
    const END: u128 = 1_000_u128.pow(SCALES.len() as u32);
    digits.parse().ok().filter(|number| *number < END)
}

/// The words of digits; each digit's word for a number without words.
pub(super) fn digits(digits: &str) -> String {
    parse(digits).map_or_else(|| spelled(digits), cardinal)
}

/// The word of each digit.
pub(super) fn spelled(digits: &str) -> String {
    let words: Vec<_> = digits.chars().filter_map(|digit| ONES.get(digit.to_digit(10)? as usize).copied()).collect();
    words.join(" ")
}

fn below_1000(number: usize) -> String {
    let (hundreds, rest) = (number / 100, number % 100);
    let tens = match rest {
        0 => String::new(),
        1..20 => ONES[rest].to_owned(),
        _ if rest.is_multiple_of(10) => TENS[rest / 10].to_owned(),
        _ => format!("{}-{}", TENS[rest / 10], ONES[rest % 10]),
    };
    match (hundreds, rest) {
        (0, 0) => ONES[0].to_owned(),
        (0, _) => tens,
        (_, 0) => format!("{} hundred", ONES[hundreds]),
        _ => format!("{} hundred and {tens}", ONES[hundreds]),
    }
}

/// `one thousand, two hundred and thirty-four`.
pub(super) fn cardinal(mut number: u128) -> String {
    if number < 1_000 {
        return below_1000(number as usize);
    }
    let mut groups = Vec::new();
    for scale in SCALES {
        let group = (number % 1_000) as usize;
        if group > 0 {
            let space = if scale.is_empty() { "" } else { " " };
            groups.push(format!("{}{space}{scale}", below_1000(group)));
        }
        number /= 1_000;
    }
    groups.reverse();
    match groups.split_last() {
        Some((last, before)) if !before.is_empty() && !last.contains(' ') => {
            format!("{} and {last}", before.join(", "))
        }
        _ => groups.join(", "),
    }
}

/// `twenty-third`.
pub(super) fn ordinal(number: u128) -> String {
    let words = cardinal(number);
    let start = words.rfind([' ', '-']).map_or(0, |at| at + 1);
    let (before, last) = words.split_at(start);
    let last = match last {
        "one" => "first".into(),
        "two" => "second".into(),
        "three" => "third".into(),
        "five" => "fifth".into(),
        "eight" => "eighth".into(),
        "nine" => "ninth".into(),
        "twelve" => "twelfth".into(),
        _ => last.strip_suffix('y').map_or_else(|| format!("{last}th"), |stem| format!("{stem}ieth")),
    };
    format!("{before}{last}")
}

/// `nineteen oh-five`.
pub(super) fn year(number: u128) -> String {
    let (high, low) = (number / 100, number % 100);
    if high == 0 || (high.is_multiple_of(10) && low < 10) || high >= 100 {
        return cardinal(number);
    }
    let low = match low {
        0 => "hundred".into(),
        1..10 => format!("oh-{}", cardinal(low)),
        _ => cardinal(low),
    };
    format!("{} {low}", cardinal(high))
}

/// `three point one four`.
pub(super) fn decimal(number: &str) -> String {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let fraction = fraction.trim_end_matches('0');
    let whole = digits(if whole.is_empty() { "0" } else { whole });
    if fraction.is_empty() { whole } else { format!("{whole} point {}", spelled(fraction)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_usual_words() {
        assert_eq!(cardinal(0), "zero");
        assert_eq!(cardinal(1_001), "one thousand and one");
        assert_eq!(cardinal(1_234), "one thousand, two hundred and thirty-four");
        assert_eq!(cardinal(1_000_000), "one million");
        assert_eq!(ordinal(23), "twenty-third");
        assert_eq!(ordinal(1_000), "one thousandth");
        assert_eq!(year(1905), "nineteen oh-five");
        assert_eq!(year(2024), "twenty twenty-four");
        assert_eq!(year(2005), "two thousand and five");
        assert_eq!(decimal("3.140"), "three point one four");
        assert_eq!(digits(&"9".repeat(40)).split(' ').count(), 40);
    }
}
