//! The pronunciation of words: a port of the lexicon rules of misaki 0.9.4 (Apache-2.0), whose phonemes the voice was trained on.

use serde::Deserialize;
use std::collections::HashMap;
use unicode_normalization::UnicodeNormalization as _;

use crate::tts::hibari::numbers;
use crate::tts::hibari::stress::{PRIMARY, SECONDARY, apply_stress};
use crate::tts::hibari::table::Table;
use crate::tts::hibari::token::Token;

/// Currencies that the lexicon reads: the sign, the unit, and its hundredth.
const CURRENCIES: [(&str, &str, &str); 3] = [("$", "dollar", "cent"), ("£", "pound", "pence"), ("€", "euro", "cent")];
/// Sounds after which American speakers flap a t.
const US_TAUS: &str = "AIOWYiuæɑəɛɪɹʊʌ";

/// What the words after a word decide about it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Context {
    /// Whether the next sound is a vowel; `None` before a pause.
    pub(super) future_vowel: Option<bool>,
    /// Whether the next word is "to".
    pub(super) future_to: bool,
}

/// An entry: one pronunciation, or one for each part of speech.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Entry {
    One(String),
    ByTag(HashMap<String, Option<String>>),
}

impl Entry {
    fn default_reading(self) -> Option<String> {
        match self {
            Self::One(phonemes) => Some(phonemes),
            Self::ByTag(mut readings) => readings.remove("DEFAULT").flatten(),
        }
    }
}

/// The dictionaries: checked entries, and entries made by rules.
#[derive(Debug)]
pub(super) struct Lexicon {
    gold: Table,
    silver: Table,
    is_british: bool,
}

pub(super) fn is_currency_sign(sign: &str) -> bool {
    CURRENCIES.iter().any(|(other, ..)| *other == sign)
}

/// An entry of a dictionary. A word in lower case also stands for the capitalised one, and the other way round.
fn find(table: &Table, word: &str) -> Option<Entry> {
    let of = |word: &str| serde_json::from_str(table.get(word)?).ok();
    if let Some(entry) = of(word) {
        return Some(entry);
    }
    word.chars().nth(1)?;
    let lower = word.to_lowercase();
    let capitalised = capitalise(&lower);
    if word == lower {
        of(&capitalised)
    } else if word == capitalised {
        of(&lower)
    } else {
        None
    }
}

fn capitalise(lower: &str) -> String {
    let mut characters = lower.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

fn is_alphabetic(word: &str) -> bool {
    !word.is_empty() && word.chars().all(char::is_alphabetic)
}

fn is_digits(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_upper(word: &str) -> bool {
    word == word.to_uppercase()
}

/// The part of speech that a tag belongs to.
fn parent(tag: &str) -> &str {
    match tag {
        _ if tag.starts_with("VB") => "VERB",
        _ if tag.starts_with("NN") => "NOUN",
        _ if tag.starts_with("ADV") || tag.starts_with("RB") => "ADV",
        _ if tag.starts_with("ADJ") || tag.starts_with("JJ") => "ADJ",
        _ => tag,
    }
}

/// A symbol that is read as a word.
fn symbol(word: &str) -> Option<&'static str> {
    Some(match word {
        "%" => "percent",
        "&" => "and",
        "+" => "plus",
        "@" => "at",
        _ => return None,
    })
}

impl Lexicon {
    pub(super) fn new(gold: String, silver: String, is_british: bool) -> serde_json::Result<Self> {
        Ok(Self { gold: Table::new(gold)?, silver: Table::new(silver)?, is_british })
    }

    fn gold(&self, word: &str) -> Option<String> {
        find(&self.gold, word)?.default_reading()
    }

    fn in_gold(&self, word: &str) -> bool {
        find(&self.gold, word).is_some()
    }

    fn in_silver(&self, word: &str) -> bool {
        find(&self.silver, word).is_some()
    }

    /// The names of the letters.
    fn spelled(&self, word: &str) -> Option<String> {
        let letters = word.chars().filter(|character| character.is_alphabetic());
        let names: Option<String> = letters.map(|letter| self.gold(&letter.to_uppercase().to_string())).collect();
        let names = apply_stress(names?, Some(0.0));
        Some(match names.rsplit_once(SECONDARY) {
            Some((before, after)) => format!("{before}{PRIMARY}{after}"),
            None => names,
        })
    }

    fn special_case(&self, word: &str, tag: &str, stress: Option<f64>, context: Context) -> Option<String> {
        let lookup = |word: &str, stress| self.lookup(word, None, stress, Some(context));
        let gold = |word: &str| self.gold(word);
        let address = match word {
            "." => Some("dot"),
            "/" => Some("slash"),
            _ => None,
        };
        if let Some(address) = address.filter(|_| tag == "ADD") {
            return lookup(address, Some(-0.5));
        }
        if let Some(symbol) = symbol(word) {
            return lookup(symbol, None);
        }
        if word.trim_matches('.').contains('.')
            && is_alphabetic(&word.replace('.', ""))
            && word.split('.').all(|part| part.chars().count() < 3)
        {
            return self.spelled(word);
        }
        match word {
            "a" | "A" => Some(if tag == "DT" { "ɐ" } else { "ˈA" }.into()),
            "am" | "Am" | "AM" => {
                if tag.starts_with("NN") {
                    self.spelled(word)
                } else if context.future_vowel.is_none() || word != "am" || stress.is_some_and(|stress| stress > 0.0) {
                    gold("am")
                } else {
                    Some("ɐm".into())
                }
            }
            "AN" if tag.starts_with("NN") => self.spelled(word),
            "an" | "An" | "AN" => Some("ɐn".into()),
            "I" if tag == "PRP" => Some("ˌI".into()),
            "by" | "By" | "BY" if parent(tag) == "ADV" => Some("bˈI".into()),
            "to" | "To" => self.to(context),
            "TO" if matches!(tag, "TO" | "IN") => self.to(context),
            "in" | "In" => Some(in_reading(tag, context)),
            "IN" if tag != "NNP" => Some(in_reading(tag, context)),
            "the" | "The" => Some(the_reading(context)),
            "THE" if tag == "DT" => Some(the_reading(context)),
            _ if tag == "IN" && matches!(word.to_lowercase().as_str(), "vs" | "vs.") => lookup("versus", None),
            "used" | "Used" | "USED" => {
                let Some(Entry::ByTag(mut readings)) = find(&self.gold, "used") else { return None };
                let key = if matches!(tag, "VBD" | "JJ") && context.future_to { "VBD" } else { "DEFAULT" };
                readings.remove(key).flatten()
            }
            _ => None,
        }
    }

    fn to(&self, context: Context) -> Option<String> {
        match context.future_vowel {
            None => self.gold("to"),
            Some(false) => Some("tə".into()),
            Some(true) => Some("tʊ".into()),
        }
    }

    fn is_known(&self, word: &str) -> bool {
        if self.in_gold(word) || symbol(word).is_some() || self.in_silver(word) {
            return true;
        }
        if word.is_empty() || !word.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return false;
        }
        word.len() == 1 || (is_upper(word) && self.in_gold(&word.to_lowercase())) || is_upper(&word[1..])
    }

    fn lookup(&self, word: &str, tag: Option<&str>, stress: Option<f64>, context: Option<Context>) -> Option<String> {
        let (mut word, mut is_name) = (word.to_owned(), false);
        if is_upper(&word) && !self.in_gold(&word) {
            word = word.to_lowercase();
            is_name = tag == Some("NNP");
        }
        let entry = find(&self.gold, &word);
        let entry = if entry.is_none() && !is_name { find(&self.silver, &word) } else { entry };
        let phonemes = match entry {
            Some(Entry::One(phonemes)) => Some(phonemes),
            Some(Entry::ByTag(mut readings)) => {
                let at_pause = context.is_some_and(|context| context.future_vowel.is_none());
                let key = if at_pause && readings.contains_key("None") {
                    "None"
                } else {
                    tag.map_or("DEFAULT", |tag| if readings.contains_key(tag) { tag } else { parent(tag) })
                };
                let key = if readings.contains_key(key) { key } else { "DEFAULT" };
                readings.remove(key).flatten()
            }
            None => None,
        };
        match phonemes {
            Some(phonemes) if !is_name || phonemes.contains(PRIMARY) => Some(apply_stress(phonemes, stress)),
            _ => self.spelled(&word),
        }
    }

    /// Adds the sound of a plural or genitive.
    fn s(&self, stem: String) -> Option<String> {
        let last = stem.chars().next_back()?;
        Some(match last {
            _ if "ptkfθ".contains(last) => stem + "s",
            _ if "szʃʒʧʤ".contains(last) => stem + if self.is_british { "ɪz" } else { "ᵻz" },
            _ => stem + "z",
        })
    }

    fn stem_s(&self, word: &str, tag: Option<&str>, stress: Option<f64>, context: Option<Context>) -> Option<String> {
        if word.chars().count() < 3 || !word.ends_with('s') {
            return None;
        }
        let length = word.chars().count();
        let cut = |end: &str| word.strip_suffix(end);
        let stem = cut("s").filter(|stem| !word.ends_with("ss") && self.is_known(stem)).map(str::to_owned);
        let stem = stem.or_else(|| {
            let is_es = length > 4 && word.ends_with("es") && !word.ends_with("ies");
            cut("'s").or_else(|| cut("es").filter(|_| is_es)).filter(|stem| self.is_known(stem)).map(str::to_owned)
        });
        let ies =
            || cut("ies").filter(|_| length > 4).map(|stem| format!("{stem}y")).filter(|stem| self.is_known(stem));
        self.s(self.lookup(&stem.or_else(ies)?, tag, stress, context)?)
    }

    /// Adds the sound of a past form.
    fn ed(&self, stem: String) -> Option<String> {
        let mut backwards = stem.chars().rev();
        let (last, before) = (backwards.next()?, backwards.next());
        Some(match last {
            _ if "pkfθʃsʧ".contains(last) => stem + "t",
            'd' => stem + if self.is_british { "ɪd" } else { "ᵻd" },
            't' => match before {
                Some(before) if !self.is_british && US_TAUS.contains(before) => {
                    stem[..stem.len() - 1].to_owned() + "ɾᵻd"
                }
                Some(_) if !self.is_british => stem + "ᵻd",
                _ => stem + "ɪd",
            },
            _ => stem + "d",
        })
    }

    fn stem_ed(&self, word: &str, tag: Option<&str>, stress: Option<f64>, context: Option<Context>) -> Option<String> {
        let length = word.chars().count();
        if length < 4 || !word.ends_with('d') {
            return None;
        }
        let stem = word.strip_suffix('d').filter(|stem| !word.ends_with("dd") && self.is_known(stem));
        let ed = || word.strip_suffix("ed").filter(|stem| length > 4 && !word.ends_with("eed") && self.is_known(stem));
        self.ed(self.lookup(stem.or_else(ed)?, tag, stress, context)?)
    }

    /// Adds the sound of a present participle.
    fn ing(&self, stem: String) -> Option<String> {
        let mut backwards = stem.chars().rev();
        let (last, before) = (backwards.next()?, backwards.next());
        if self.is_british {
            return (!"əː".contains(last)).then(|| stem + "ɪŋ");
        }
        Some(match before {
            Some(before) if last == 't' && US_TAUS.contains(before) => stem[..stem.len() - 1].to_owned() + "ɾɪŋ",
            _ => stem + "ɪŋ",
        })
    }

    fn stem_ing(&self, word: &str, tag: Option<&str>, stress: Option<f64>, context: Option<Context>) -> Option<String> {
        let length = word.chars().count();
        let base = word.strip_suffix("ing").filter(|_| length >= 5)?;
        let known = |stem: String| Some(stem).filter(|stem| self.is_known(stem));
        let mut backwards = base.chars().rev();
        let (last, before) = (backwards.next(), backwards.next());
        // "running" and "panicking".
        let is_doubled = last.is_some_and(|last| {
            (before == Some(last) && "bcdgklmnprstvxz".contains(last)) || (last == 'k' && before == Some('c'))
        });
        let stem = (length > 5).then(|| known(base.to_owned())).flatten();
        let stem = stem.or_else(|| known(format!("{base}e")));
        let single = || known(base[..base.len() - 1].to_owned()).filter(|_| length > 5);
        let stem = stem.or_else(|| if is_doubled { single() } else { None })?;
        self.ing(self.lookup(&stem, tag, stress, context)?)
    }

    fn word(&self, word: &str, tag: &str, stress: Option<f64>, context: Context) -> Option<String> {
        if let Some(phonemes) = self.special_case(word, tag, stress, context) {
            return Some(phonemes);
        }
        let (some_tag, some_context) = (Some(tag), Some(context));
        let lower = word.to_lowercase();
        let length = word.chars().count();
        let rest_is_lower = || {
            let rest: String = word.chars().skip(1).collect();
            rest == rest.to_lowercase()
        };
        let is_lowered = length > 1
            && is_alphabetic(&word.replace('\'', ""))
            && word != lower
            && (tag != "NNP" || length > 7)
            && !self.in_gold(word)
            && !self.in_silver(word)
            && (is_upper(word) || rest_is_lower())
            && (self.in_gold(&lower)
                || self.in_silver(&lower)
                || self.stem_s(&lower, some_tag, stress, some_context).is_some_and(|phonemes| !phonemes.is_empty())
                || self.stem_ed(&lower, some_tag, stress, some_context).is_some_and(|phonemes| !phonemes.is_empty())
                || self.stem_ing(&lower, some_tag, stress, some_context).is_some_and(|phonemes| !phonemes.is_empty()));
        let word = if is_lowered { lower.as_str() } else { word };
        let known = |word: &str| self.is_known(word).then(|| word.to_owned());
        let found = known(word)
            .or_else(|| word.strip_suffix("s'").and_then(|stem| known(&format!("{stem}'s"))))
            .or_else(|| word.strip_suffix('\'').and_then(known));
        if let Some(found) = found {
            return self.lookup(&found, some_tag, stress, some_context);
        }
        self.stem_s(word, some_tag, stress, some_context)
            .or_else(|| self.stem_ed(word, some_tag, stress, some_context))
            .or_else(|| self.stem_ing(word, some_tag, stress.or(Some(0.5)), some_context))
    }

    /// The phonemes of a number such as `1,250`, `3rd`, `90s` or `3.14`.
    pub(super) fn number(&self, word: &str, currency: Option<&str>, is_head: bool) -> Option<String> {
        let end = word.trim_end_matches(|character: char| character.is_ascii_lowercase() || character == '\'').len();
        let (number, suffix) = word.split_at(end);
        let mut words: Vec<Option<String>> = Vec::new();
        let look = |word: &str, stress| self.lookup(word, None, stress, None);
        let number = match number.strip_prefix('-') {
            Some(number) => {
                words.push(look("minus", None));
                number
            }
            None => number,
        };
        let is_negative = !words.is_empty();
        let read = |words: &mut Vec<Option<String>>, text: &str| {
            for word in text.split(|character: char| !character.is_ascii_lowercase()) {
                if word != "and" && !word.is_empty() {
                    words.push(look(word, (word == "point").then_some(-2.0)));
                }
            }
        };
        let plain = number.replace(',', "");
        let unit = currency.and_then(|sign| CURRENCIES.iter().find(|(other, ..)| *other == sign));
        let is_ordinal = matches!(suffix, "st" | "nd" | "rd" | "th");
        let ordinal = |digits: &str| numbers::parse(digits).map_or_else(|| numbers::spelled(digits), numbers::ordinal);
        if is_digits(number) && is_ordinal {
            read(&mut words, &ordinal(number));
        } else if !is_negative && number.len() == 4 && unit.is_none() && is_digits(number) {
            read(&mut words, &numbers::year(numbers::parse(number)?));
        } else if !is_head && !number.contains('.') {
            self.read_inner(&plain, &mut words, &read);
        } else if number.matches('.').count() > 1 || !is_head {
            for part in plain.split('.').filter(|part| !part.is_empty()) {
                let is_spelled =
                    part.starts_with('0') || (part.len() != 2 && part.bytes().skip(1).any(|byte| byte != b'0'));
                read(&mut words, &if is_spelled { numbers::spelled(part) } else { numbers::digits(part) });
            }
        } else if let Some((_, whole, hundredth)) = unit.filter(|_| is_amount(number)) {
            let value = |digits: &str| if digits.is_empty() { Some(0) } else { numbers::parse(digits) };
            let mut parts = Vec::new();
            for (digits, unit) in plain.split('.').zip([whole, hundredth]) {
                parts.push((value(digits)?, *unit));
            }
            if let [first, second] = parts[..] {
                parts = match (first.0, second.0) {
                    (_, 0) => vec![first],
                    (0, _) => vec![second],
                    _ => parts,
                };
            }
            for (index, (value, unit)) in parts.into_iter().enumerate() {
                if index > 0 {
                    words.push(look("and", None));
                }
                read(&mut words, &numbers::cardinal(value));
                words.push(if value != 1 && unit != "pence" {
                    self.stem_s(&format!("{unit}s"), None, None, None)
                } else {
                    look(unit, None)
                });
            }
        } else if is_digits(number) {
            read(&mut words, &numbers::digits(number));
        } else if !number.contains('.') {
            read(&mut words, &if is_ordinal { ordinal(&plain) } else { numbers::digits(&plain) });
        } else if let Some(fraction) = plain.strip_prefix('.') {
            read(&mut words, &format!("point {}", numbers::spelled(fraction)));
        } else {
            read(&mut words, &numbers::decimal(&plain));
        }
        let words: Option<Vec<String>> = words.into_iter().collect();
        let phonemes = words.filter(|words| !words.is_empty())?.join(" ");
        match suffix {
            "s" | "'s" => self.s(phonemes),
            "ed" | "'d" => self.ed(phonemes),
            "ing" => self.ing(phonemes),
            _ => Some(phonemes),
        }
    }

    /// Reads digits inside a word, such as the 747 of `B747`.
    fn read_inner(
        &self,
        digits: &str,
        words: &mut Vec<Option<String>>,
        read: &impl Fn(&mut Vec<Option<String>>, &str),
    ) {
        if digits.starts_with('0') || digits.len() > 3 {
            read(words, &numbers::spelled(digits));
        } else if digits.len() == 3 && !digits.ends_with("00") {
            read(words, &numbers::digits(&digits[..1]));
            if digits[1..].starts_with('0') {
                words.push(self.lookup("O", None, Some(-2.0), None));
                read(words, &numbers::digits(&digits[2..]));
            } else {
                read(words, &numbers::digits(&digits[1..]));
            }
        } else {
            read(words, &numbers::digits(digits));
        }
    }

    fn with_currency(&self, phonemes: String, currency: Option<&str>) -> String {
        let unit = currency.and_then(|sign| CURRENCIES.iter().find(|(other, ..)| *other == sign));
        match unit.and_then(|(_, unit, _)| self.stem_s(&format!("{unit}s"), None, None, None)) {
            Some(unit) => format!("{phonemes} {unit}"),
            None => phonemes,
        }
    }

    /// The phonemes of a token; `None` for an unknown word.
    pub(super) fn read(&self, token: &Token, context: Context) -> Option<String> {
        let word = token.alias.unwrap_or(&token.text).replace(['‘', '’'], "'");
        let word: String = word.nfkc().collect();
        let stress = match () {
            () if word == word.to_lowercase() => None,
            () if is_upper(&word) => Some(2.0),
            () => Some(0.5),
        };
        if let Some(phonemes) = self.word(&word, &token.tag, stress, context) {
            return Some(self.with_currency(phonemes, token.currency.as_deref()));
        }
        is_number(&word, token.is_head).then(|| self.number(&word, token.currency.as_deref(), token.is_head)).flatten()
    }
}

fn in_reading(tag: &str, context: Context) -> String {
    if context.future_vowel.is_none() || tag != "IN" { "ˈɪn" } else { "ɪn" }.into()
}

fn the_reading(context: Context) -> String {
    if context.future_vowel == Some(true) { "ði" } else { "ðə" }.into()
}

/// Whether a number has at most two decimals.
fn is_amount(number: &str) -> bool {
    match number.split_once('.') {
        None => true,
        Some((_, cents)) => !cents.contains('.') && cents.len() < 3,
    }
}

fn is_number(word: &str, is_head: bool) -> bool {
    if !word.bytes().any(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let suffixes = ["ing", "'d", "ed", "'s", "st", "nd", "rd", "th", "s"];
    let word = suffixes.iter().find_map(|suffix| word.strip_suffix(suffix)).unwrap_or(word);
    let is_part = |(index, byte): (usize, u8)| {
        byte.is_ascii_digit() || matches!(byte, b',' | b'.') || (is_head && index == 0 && byte == b'-')
    };
    word.bytes().enumerate().all(is_part)
}
