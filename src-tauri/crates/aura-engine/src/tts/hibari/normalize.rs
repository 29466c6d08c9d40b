//! Readings that the lexicon's rules cannot produce: times, dates, units, abbreviations, currencies, symbols. A port of the
//! package's `g2p/normalize.py`; its word tables are the file `normalize.json`.

use fancy_regex::{Captures, Regex};
use serde::Deserialize;

use crate::tts::hibari::numbers::{self, cardinal, ordinal};
use crate::tts::hibari::patterns::{any_of, group, regex, replace_all};
use crate::tts::hibari::table::Pairs;

const NUMBER: &str = r"\d+(?:,\d{3})*(?:\.\d+)?";
const ROMAN: &str = r"((?=[IVXLC])M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3}))";

/// The word tables.
#[derive(Deserialize)]
pub(super) struct Words {
    months: Pairs<String>,
    titles: Pairs<String>,
    abbreviations: Pairs<String>,
    units: Pairs<[String; 2]>,
    symbols: Pairs<String>,
    currency: Pairs<[String; 2]>,
    roman_cardinal: Vec<String>,
    roman_ordinal: Vec<String>,
}

/// The patterns, in the order in which they are applied.
pub(super) struct Normalizer {
    words: Words,
    spaces: Regex,
    time: Regex,
    date_iso: Regex,
    date_us: Regex,
    big_money: Regex,
    cents: Regex,
    currency: Regex,
    degrees: Regex,
    unit: Regex,
    month_day: Regex,
    day_month: Regex,
    title: Regex,
    abbreviation: Regex,
    number_sign: Regex,
    hash: Regex,
    roman_cardinal: Regex,
    roman_ordinal: Regex,
    phone: Regex,
    fraction: Regex,
    range: Regex,
    plus: Regex,
    /// Symbols that count only between two things.
    between: Vec<(char, Regex)>,
    space_before_mark: Regex,
}

impl Normalizer {
    pub(super) fn new(words: Words) -> Self {
        let names = words.months.iter().map(|(_, name)| name.clone());
        let short = words.months.iter().map(|(short, _)| capitalise(short));
        let months: Vec<String> = names.chain(short).chain(["Sept".to_owned()]).collect();
        let months = any_of(months.iter().map(String::as_str));
        let units = any_of(words.units.keys());
        let roman = |before: &[String]| {
            regex(&format!(r"\b({}) {ROMAN}\b(?![.'’]\w)", any_of(before.iter().map(String::as_str))))
        };
        let size = r"(hundred|thousand|million|billion|trillion|[kKmMbB]\b)";
        let between = words.symbols.iter().filter(|(symbol, _)| "=<>~".contains(symbol.as_str()));
        let between = between
            .filter_map(|(symbol, _)| Some((symbol.chars().next()?, regex(&format!(r"(?<=\S) ?{symbol} ?(?=\S)")))));
        Self {
            spaces: regex(r"\s+"),
            time: regex(r"\b(\d{1,2}):(\d{2})(?::(\d{2}))?(?:\s?([AaPp])\.?[Mm]\.?(?![A-Za-z]))?(?!\d)"),
            date_us: regex(r"\b(\d{1,2})/(\d{1,2})/(\d{4}|\d{2})\b"),
            date_iso: regex(r"\b(\d{4})-(\d{2})-(\d{2})\b"),
            month_day: regex(&format!(r"\b({months})\.? (\d{{1,2}})(?:st|nd|rd|th)?\b(?![\d:%])(,? \d{{4}}\b)?")),
            day_month: regex(&format!(r"\b(the )?(\d{{1,2}}) (?:of )?({months})\b\.?")),
            unit: regex(&format!(r"(?<![\w.])(-?{NUMBER})\s?({units})(?![\w])")),
            degrees: regex(&format!(r"(?<![\w.])(-?{NUMBER})\s?°\s?([CF])?(?![\w])")),
            cents: regex(&format!(r"(?<![\w.])({NUMBER})\s?¢")),
            currency: regex(&format!(r"(?<![\w])([¥₹₩]|Rs\.?|USD|EUR|GBP)\s?({NUMBER})(?:\s?{size})?")),
            big_money: regex(&format!(r"([$£€])({NUMBER})\s?{size}")),
            title: regex(&format!(r"\b({})\.? (?=[A-Z])", any_of(words.titles.keys()))),
            abbreviation: regex(&format!(r"(?<![\w.])({})(?![\w])", any_of(words.abbreviations.keys()))),
            number_sign: regex(r"\b(No|Nos)\. ?(?=\d)"),
            hash: regex(r"(?<![\w&])#(?=\d)"),
            roman_cardinal: roman(&words.roman_cardinal),
            roman_ordinal: roman(&words.roman_ordinal),
            phone: regex(r"(?<![\w.\-])(?:\d{3}-)?\d{3}-\d{4}(?![\w.\-])"),
            range: regex(r"(?<![\w.\-])(\d{1,4})\s?[-–]\s?(\d{1,4})(?![\w.\-%])"),
            fraction: regex(r"(?<![\w./])(\d{1,2})/(\d{1,2})(?![\w./])"),
            plus: regex(r"(?<![\w+])\+(?=\d)"),
            between: between.collect(),
            space_before_mark: regex(r" +([,.;:!?])"),
            words,
        }
    }

    /// The text in words that the lexicon reads.
    pub(super) fn normalize(&self, text: &str) -> String {
        let words = &self.words;
        let text = self.single_spaces(text.to_owned());
        let text = text.replace('’', "'").replace('‒', "-").replace('―', "—");
        let text = replace_all(&self.time, text, time);
        let date = |m: &Captures<'_, str>, year, month, day| {
            self.date(year, month, day).unwrap_or_else(|| group(m, 0).to_owned())
        };
        let text = replace_all(&self.date_iso, text, |m, _| {
            date(m, Some(group(m, 1).to_owned()), small(group(m, 2)), small(group(m, 3)))
        });
        let text = replace_all(&self.date_us, text, |m, _| {
            let (first, second, year) = (small(group(m, 1)), small(group(m, 2)), group(m, 3));
            let century = if small(year) > 30 { "19" } else { "20" };
            let year = if year.len() == 2 { format!("{century}{year}") } else { year.to_owned() };
            let (month, day) = if first <= 12 { (first, second) } else { (second, first) };
            date(m, Some(year), month, day)
        });
        let money = |sign: &str, plural: bool| {
            let [one, many] = words.currency.get(sign).cloned().unwrap_or_default();
            if plural { many } else { one }
        };
        let text = replace_all(&self.big_money, text, |m, _| {
            format!("{} {} {}", group(m, 2), size(&group(m, 3).to_lowercase(), group(m, 3)), money(group(m, 1), true))
        });
        let text =
            replace_all(&self.cents, text, |m, _| format!("{} {}", group(m, 1), money("¢", is_plural(group(m, 1)))));
        let text = replace_all(&self.currency, text, |m, _| {
            let (sign, number, big) = (group(m, 1).trim_end_matches('.'), group(m, 2), group(m, 3));
            if big.is_empty() {
                format!("{number} {}", money(sign, is_plural(number)))
            } else {
                format!("{number} {} {}", size(&big.to_lowercase(), big), money(sign, true))
            }
        });
        let text = replace_all(&self.degrees, text, |m, _| {
            let scale = match group(m, 2) {
                "C" => " Celsius",
                "F" => " Fahrenheit",
                _ => "",
            };
            let unit = if is_plural(group(m, 1)) { "degrees" } else { "degree" };
            format!("{} {unit}{scale}", group(m, 1))
        });
        let text = replace_all(&self.unit, text, |m, _| {
            let [one, many] = words.units.get(group(m, 2)).cloned().unwrap_or_default();
            format!("{} {}", group(m, 1), if is_plural(group(m, 1)) { many } else { one })
        });
        let text = replace_all(&self.month_day, text, |m, _| match small(group(m, 2)) {
            day @ 1..=31 => format!("{} {}{}", self.month(group(m, 1)), ordinal(day), group(m, 3)),
            _ => group(m, 0).to_owned(),
        });
        let text = replace_all(&self.day_month, text, |m, _| match small(group(m, 2)) {
            day @ 1..=31 => format!("the {} of {}", ordinal(day), self.month(group(m, 3))),
            _ => group(m, 0).to_owned(),
        });
        let word = |table: &Pairs<String>, m: &Captures<'_, str>| table.get(group(m, 1)).cloned().unwrap_or_default();
        let text = replace_all(&self.title, text, |m, _| format!("{} ", word(&words.titles, m)));
        let text = replace_all(&self.abbreviation, text, |m, rest| {
            let stop = if rest.is_empty() && group(m, 1).ends_with('.') { "." } else { "" };
            format!("{}{stop}", word(&words.abbreviations, m))
        });
        let text = replace_all(&self.number_sign, text, |m, _| {
            if group(m, 1) == "No" { "Number " } else { "Numbers " }.to_owned()
        });
        let text = replace_all(&self.hash, text, |_, _| "number ".to_owned());
        let text = replace_all(&self.roman_cardinal, text, |m, _| format!("{} {}", group(m, 1), roman(group(m, 2))));
        let text = replace_all(&self.roman_ordinal, text, |m, _| {
            format!("{} the {}", group(m, 1), ordinal(roman(group(m, 2))))
        });
        let text = replace_all(&self.phone, text, |m, _| {
            let spaced: Vec<String> = group(m, 0).replace('-', ", ").chars().map(String::from).collect();
            spaced.join(" ")
        });
        let text = replace_all(&self.fraction, text, |m, _| {
            self.fraction(small(group(m, 1)), small(group(m, 2)), group(m, 0))
        });
        let text = replace_all(&self.range, text, |m, _| format!("{} to {}", group(m, 1), group(m, 2)));
        let mut text = replace_all(&self.plus, text, |_, _| "plus ".to_owned());
        for (symbol, word) in words.symbols.iter() {
            if !text.contains(symbol.as_str()) {
                continue;
            }
            let word = if word.is_empty() { " ".to_owned() } else { format!(" {word} ") };
            text = match self.between.iter().find(|(other, _)| symbol.starts_with(*other)) {
                Some((_, between)) => replace_all(between, text, |_, _| word.clone()),
                None => text.replace(symbol.as_str(), &word),
            };
        }
        let text = self.single_spaces(text);
        replace_all(&self.space_before_mark, text, |m, _| group(m, 1).to_owned()).trim().to_owned()
    }

    fn single_spaces(&self, text: String) -> String {
        replace_all(&self.spaces, text, |_, _| " ".to_owned()).trim().to_owned()
    }

    /// The full name of a month.
    fn month(&self, name: &str) -> &str {
        let short = name.to_lowercase().chars().take(3).collect::<String>();
        self.words.months.get(&short).map_or("", String::as_str)
    }

    fn date(&self, year: Option<String>, month: u128, day: u128) -> Option<String> {
        let (_, name) = self.words.months.iter().nth(usize::try_from(month).ok()?.checked_sub(1)?)?;
        let year = year.map(|year| format!(", {year}")).unwrap_or_default();
        (1..=31).contains(&day).then(|| format!("{name} {}{year}", ordinal(day)))
    }

    fn fraction(&self, above: u128, below: u128, whole: &str) -> String {
        const PARTS: [&str; 9] = ["half", "third", "quarter", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"];
        if 0 < above && above < below && below <= 10 {
            return match (above, PARTS[below as usize - 2]) {
                (1, "half") => "one half".into(),
                (_, "half") => format!("{above} halves"),
                (1, part) => format!("1 {part}"),
                (_, part) => format!("{above} {part}s"),
            };
        }
        if (1..=12).contains(&above) && (1..=31).contains(&below) {
            return self.date(None, above, below).unwrap_or_else(|| whole.to_owned());
        }
        format!("{above} slash {below}")
    }
}

fn capitalise(word: &str) -> String {
    let mut characters = word.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

/// A number of a few digits.
fn small(digits: &str) -> u128 {
    numbers::parse(digits).unwrap_or_default()
}

fn is_plural(number: &str) -> bool {
    !matches!(number.replace(',', "").as_str(), "1" | "1.0" | "-1")
}

fn size<'a>(lower: &str, big: &'a str) -> &'a str {
    match lower {
        "k" => "thousand",
        "m" => "million",
        "b" => "billion",
        _ => big,
    }
}

fn time(m: &Captures<'_, str>, rest: &str) -> String {
    let (hour, minute, half) = (small(group(m, 1)), small(group(m, 2)), group(m, 4));
    let second = m.get(3).map(|second| small(second.as_str()));
    if hour > 24 || minute > 59 || second.is_some_and(|second| second > 59) {
        return group(m, 0).to_owned();
    }
    let mut words = cardinal(hour);
    match minute {
        0 if half.is_empty() && second.is_none() => words.push_str(" o'clock"),
        0 => {}
        1..10 => words.push_str(&format!(" oh {}", cardinal(minute))),
        _ => words.push_str(&format!(" {}", cardinal(minute))),
    }
    if let Some(second) = second {
        words.push_str(&format!(" and {} second{}", cardinal(second), if second == 1 { "" } else { "s" }));
    }
    if !half.is_empty() {
        // With full stops, so that the letters are spelled.
        words.push_str(&format!(" {}.M{}", half.to_uppercase(), if rest.starts_with('.') { "" } else { "." }));
    }
    words
}

fn roman(numeral: &str) -> u128 {
    let value = |letter| match letter {
        'I' => 1,
        'V' => 5,
        'X' => 10,
        'L' => 50,
        'C' => 100,
        'D' => 500,
        _ => 1_000_i32,
    };
    let values: Vec<i32> = numeral.chars().map(value).collect();
    let signed = values
        .iter()
        .enumerate()
        .map(|(index, value)| if values.get(index + 1).is_some_and(|next| next > value) { -value } else { *value });
    u128::try_from(signed.sum::<i32>()).unwrap_or_default()
}
