//! Words and marks by spaCy's rules for English (MIT), as the package's `g2p/tokenize.py` has them: special cases, then marks before and
//! behind, then what is inside.

use std::collections::HashMap;

use fancy_regex::Regex;

use crate::tts::hibari::patterns::regex;

const LETTER: &str = r"[^\W\d_]";
const LOWER: &str = "a-zß-öø-ÿ";
const UPPER: &str = "A-ZÀ-ÖØ-Þ";
const QUOTES: &str = "'\"”“`‘´’‚,„»«「」『』（）〔〕【】《》〈〉";
const MARKS: &str = "…,:;!?¿¡()[]{}<>_#*&。？！，、；：～·";
const ICONS: &str = "[™®©°§¶†‡•]";
const CURRENCY: &str = r"\$|£|€|¥|฿|US\$|C\$|A\$|₽|₹|₩|₪|₺|₴|₦|₫|₱|₲|₵|₸|₼|₾|₿";
const UNITS: &str = "km|km²|km³|m|m²|m³|dm|dm²|dm³|cm|cm²|cm³|mm|mm²|mm³|ha|µm|nm|yd|in|ft|kg|g|mg|µg|t|lb|oz|m/s|km/h\
                     |kmh|mph|hPa|Pa|mbar|mb|MB|kb|KB|gb|GB|tb|TB|T|G|M|K|%";

/// The rules.
pub(super) struct Tokenizer {
    /// Words that are cut as the table says.
    special: HashMap<String, Vec<String>>,
    prefix: Regex,
    suffix: Regex,
    infix: Regex,
    address: Regex,
}

impl Tokenizer {
    pub(super) fn new(special: HashMap<String, Vec<String>>) -> Self {
        let each =
            |set: &str| set.chars().map(|c| fancy_regex::escape(&c.to_string()).into_owned()).collect::<Vec<_>>();
        let (marks, quotes) = (each(MARKS), each(QUOTES));
        let (mark_set, quote_set) = (marks.concat(), quotes.concat());
        let strings = |list: &[&str]| list.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>();
        let dots = strings(&[r"\.\.+", "…"]);
        let icons = strings(&[ICONS]);
        let prefixes = [
            strings(&["§", "%", "=", "—", "–", r"\+(?![0-9])", "…", "……"]),
            marks.clone(),
            dots.clone(),
            quotes.clone(),
        ];
        let prefixes = [prefixes.concat(), strings(&[CURRENCY]), icons.clone()].concat();
        let suffixes = [strings(&["…", "……"]), marks, dots.clone(), quotes, icons.clone()].concat();
        let after = [
            r"(?<=[0-9])\+".to_owned(),
            r"(?<=°[FfCcKk])\.".to_owned(),
            format!("(?<=[0-9])(?:{CURRENCY})"),
            format!("(?<=[0-9])(?:{UNITS})"),
            format!(r"(?<=[0-9{LOWER}%²\-\+{mark_set}{quote_set}])\."),
            format!(r"(?<=[{UPPER}][{UPPER}])\."),
        ];
        let suffixes = [suffixes, strings(&["'s", "'S", "’s", "’S", "—", "–"]), after.to_vec()].concat();
        let inside = [
            r"(?<=[0-9])[+\-\*^](?=[0-9-])".to_owned(),
            format!(r"(?<=[{LOWER}{quote_set}])\.(?=[{UPPER}{quote_set}])"),
            format!("(?<={LETTER}),(?={LETTER})"),
            format!(r"(?<=[^\W_])(?:-|–|—|--|---|——|~)(?={LETTER})"),
            format!(r"(?<=[^\W_])[:<>=/](?={LETTER})"),
        ];
        let infixes = [dots, icons, inside.to_vec()].concat();
        let any = |list: &[String], before: &str, behind: &str| {
            regex(&list.iter().map(|part| format!("{before}(?:{part}){behind}")).collect::<Vec<_>>().join("|"))
        };
        let domains = "com|org|net|edu|gov|io|co|uk|de|fr|info|biz|us|ca|au|tv|me|ly|ai";
        let address = format!(
            r"(?i)^(?:(?:https?|ftp)://|www\.)\S+$|^[\w.+-]+@[\w-]+(?:\.[\w-]+)+$|^(?:[\w-]+\.)+(?:{domains})(?:/\S*)?$"
        );
        Self {
            special,
            prefix: any(&prefixes, "^", ""),
            suffix: any(&suffixes, "", "$"),
            infix: any(&infixes, "", ""),
            address: regex(&address),
        }
    }

    /// The tokens, and whether white space follows them.
    pub(super) fn tokens(&self, text: &str) -> Vec<(String, bool)> {
        let mut tokens = Vec::new();
        for word in text.split_whitespace() {
            let parts = self.split(word);
            let is_last = std::ptr::eq(word.as_bytes().as_ptr_range().end, text.as_bytes().as_ptr_range().end);
            let count = parts.len();
            tokens.extend(parts.into_iter().enumerate().map(|(index, part)| (part, index + 1 == count && !is_last)));
        }
        tokens
    }

    fn split(&self, word: &str) -> Vec<String> {
        if let Some(parts) = self.special.get(word) {
            return parts.clone();
        }
        let find =
            |regex: &Regex, text: &str| regex.find(text).ok().flatten().map(|found| (found.start(), found.end()));
        let (mut before, mut behind) = (Vec::new(), Vec::new());
        let mut rest = word;
        while !rest.is_empty() && !self.special.contains_key(rest) {
            let prefix = find(&self.prefix, rest).map_or(0, |(_, end)| end);
            let (start, without) = rest.split_at(prefix);
            if prefix > 0 && self.special.contains_key(without) {
                before.push(start.to_owned());
                rest = without;
                break;
            }
            let suffix = find(&self.suffix, without).map_or(0, |(start, end)| end - start);
            let (all_before, end) = rest.split_at(rest.len() - suffix);
            if suffix > 0 && self.special.contains_key(all_before) {
                behind.push(end.to_owned());
                rest = all_before;
                break;
            }
            if prefix + suffix == 0 {
                break;
            }
            if prefix > 0 {
                before.push(start.to_owned());
            }
            if suffix > 0 {
                behind.push(end.to_owned());
            }
            rest = &rest[prefix..rest.len() - suffix];
        }
        let mut tokens = before;
        if let Some(parts) = self.special.get(rest) {
            tokens.extend(parts.iter().cloned());
        } else if self.address.is_match(rest).unwrap_or(false) {
            tokens.push(rest.to_owned());
        } else {
            let mut start = 0;
            for found in self.infix.find_iter(rest).map_while(Result::ok).filter(|found| found.start() > 0) {
                if found.start() > start {
                    tokens.push(rest[start..found.start()].to_owned());
                }
                tokens.push(found.as_str().to_owned());
                start = found.end();
            }
            if start < rest.len() {
                tokens.push(rest[start..].to_owned());
            }
        }
        tokens.extend(behind.into_iter().rev());
        if tokens.len() > 1 { self.rejoin(tokens) } else { tokens }
    }

    /// Puts neighbours together that are a special case: `Sept` and `.`.
    fn rejoin(&self, tokens: Vec<String>) -> Vec<String> {
        let mut joined = Vec::with_capacity(tokens.len());
        let mut at = 0;
        while at < tokens.len() {
            let special = [3, 2].into_iter().find_map(|count| {
                let parts = self.special.get(&tokens.get(at..at + count)?.concat())?;
                Some((parts, count))
            });
            match special {
                Some((parts, count)) => {
                    joined.extend(parts.iter().cloned());
                    at += count;
                }
                None => {
                    joined.push(tokens[at].clone());
                    at += 1;
                }
            }
        }
        joined
    }
}
