//! The lines of an error text: what the client wrote in front of the log, and the log without the prefixes that
//! loggers and terminals put before each line.

use std::sync::LazyLock;

use regex::Regex;

/// Most prefixes of one line.
const MAX_PREFIXES: usize = 6;

/// The parts of an error text.
#[derive(Debug, Default)]
pub(super) struct Report<'t> {
    /// The exit code in the first line.
    pub(super) exit_code: Option<i32>,
    /// The client's text for the exit code.
    pub(super) explanation: Option<&'t str>,
    /// The command named by the first line or by the error handler.
    pub(super) command: Option<&'t str>,
    /// The lines of the log that are more than a prefix.
    pub(super) lines: Vec<Line<'t>>,
}

/// A line of the log.
#[derive(Clone, Debug)]
pub(super) struct Line<'t> {
    /// The line without blanks at its end.
    pub(super) text: &'t str,
    /// Where the message can begin: at 0, and behind each prefix.
    starts: Vec<usize>,
}

/// What stands before a message: marks, times, levels, the name of a unit or a container.
static PREFIX: LazyLock<Option<Regex>> = LazyLock::new(|| {
    const ALTERNATIVES: &[&str] = &[
        // Marks, frames and spinners.
        r"[ \t✖✗✘❌×⨯⚠✔✓✅💡🔥🚨❗‼\x{fe0f}\x{200b}\x{200d}│┃╰╭├└─●•░█⏳ℹ❯»➜\x{2800}-\x{28ff}]+",
        r"[|/\\*>-] +",
        // Colours whose escape character was lost.
        r"\[[0-9]{1,2}(?:;[0-9]{1,3})*m",
        r"\[(?i:error|err|fatal|fail|failed|critical|crit|warning|warn|info|notice|debug|stderr|stdout|ok|错误)\]:? *",
        // The name of a logger: `[org.gradle.BuildExceptionReporter]`
        r"\[[a-z][a-z0-9_]*(?:\.[A-Za-z0-9_$]+)+\]:? *",
        // `[   45.100001]`, `[2024-11-20 14:02:11]`, `[3/7]`
        r"\[ *[0-9][0-9.:/TZ, +-]*\] *",
        r"\(?[0-9]{4}[-/.][0-9]{2}[-/.][0-9]{2}(?:[T_ ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]+)?)?\)?(?: ?(?:Z|UTC|GMT|MSK|[A-Z]{1,3}T|[+-][0-9]{2}:?[0-9]{2})(?-u:\b))?(?: *\[[0-9]+\])?(?: [-:|] +|:? +)",
        r"[0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]+)?:? +",
        // syslog, with the unit
        r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? +)?(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) +[0-9]{1,2} +[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?: [0-9]{4})? +(?:[!-~]+ +[0-9A-Za-z_@./()-]+(?:\[[0-9]+\])?: +)?",
        r"TASK ERROR: +",
        r"npm (?:ERR!|error) +",
        r"gyp (?:ERR!|info|verb) +(?:stack +)?",
        // BuildKit, Docker Compose
        r"#[0-9]+ +(?:[0-9]+\.[0-9]+ +)?",
        r"[0-9]{1,5}\.[0-9]{1,3} +",
        r"[a-z0-9][a-z0-9_.-]* +\| +",
    ];
    let pattern = format!("^(?:{})", ALTERNATIVES.join("|"));
    Regex::new(&pattern).ok()
});

/// Beginnings of messages that are often glued to a step, because its line was not ended.
static GLUED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    const PROGRAMS: &str = "curl|wget|cp|mv|rm|ln|mkdir|cat|tar|gzip|unzip|sed|grep|chmod|chown|git|fatal|bash|sh|environment|node|error";
    Regex::new(&format!(
        r"(?:{PROGRAMS}): |/(?:dev|opt|usr|root|tmp)/[!-~]+: |ERR_|E: |Err(?:or)?: |ERROR:? +[A-Za-z]|npm error |failed to |unable to |Failed to "
    ))
    .ok()
});

/// Words that begin the name of a step.
const STEP_WORDS: [&str; 9] = [
    "Installing ",
    "Updating ",
    "Building ",
    "Creating ",
    "Setting up ",
    "Starting ",
    "Downloading ",
    "Checking ",
    "Configuring ",
];

impl<'t> Line<'t> {
    fn new(raw: &'t str) -> Option<Self> {
        let text = raw.trim_end();
        if text.is_empty() {
            return None;
        }
        let mut starts = vec![0];
        let mut at = text.len() - text.trim_start().len();
        if at > 0 {
            starts.push(at);
        }
        while let Some(prefix) = PREFIX.as_ref().and_then(|prefix| prefix.find(&text[at..])) {
            if at + prefix.end() == text.len() {
                return None;
            }
            if prefix.is_empty() || starts.len() > 2 * MAX_PREFIXES {
                break;
            }
            at += prefix.end();
            // A blank ends the prefix; others indent the message, which some rules need.
            let indented = text[..at].trim_end_matches([' ', '\t']).len() + 1;
            if indented < at && starts.last().is_some_and(|start| *start < indented) {
                starts.push(indented);
            }
            starts.push(at);
        }
        if let Some(start) = glued(text, at) {
            starts = vec![start];
        }
        Some(Self { text, starts })
    }

    /// A line without any prefix.
    pub(super) fn message_of(line: &str) -> &str {
        Line::new(line).map_or("", |line| line.message())
    }

    /// Each text of a line that can be the message.
    #[cfg(test)]
    pub(super) fn readings_of(line: &str) -> impl Iterator<Item = &str> {
        Line::new(line).into_iter().flat_map(|line| line.readings().collect::<Vec<_>>())
    }

    /// The message without any prefix.
    pub(super) fn message(&self) -> &'t str {
        self.starts.last().map_or(self.text, |start| &self.text[*start..])
    }

    /// Whether the message is indented: by one blank, or by two where a prefix stands before it.
    pub(super) fn is_indented(&self) -> bool {
        let prefix = &self.text[..self.text.len() - self.message().len()];
        let blanks = prefix.len() - prefix.trim_end().len();
        prefix.ends_with('\t') || blanks > usize::from(prefix.len() > blanks)
    }

    /// Whether the prefix says that the line is no error.
    pub(super) fn is_below_error(&self) -> bool {
        const LEVELS: [&str; 5] = ["[warn", "[info", "[notice", "[debug", "[ok"];
        let prefix = self.text[..self.text.len() - self.message().len()].to_ascii_lowercase();
        LEVELS.iter().any(|level| prefix.contains(level))
    }

    /// Each text that can be the message, the shortest first.
    pub(super) fn readings(&self) -> impl Iterator<Item = &'t str> {
        let text = self.text;
        self.starts.iter().rev().map(move |start| &text[*start..])
    }
}

/// Where the message begins that is glued to a mark or the name of a step; `None` if there is none behind `at`.
fn glued(text: &str, at: usize) -> Option<usize> {
    let message = &text[at..];
    if let Some(rest) = message.strip_prefix(['|', '/', '\\', '-'])
        && (message.starts_with(['|', '\\']) || rest.starts_with("/dev/") || is_word_and_colon(rest))
    {
        return Some(at + 1);
    }
    let found = GLUED.as_ref().filter(|_| is_step(text, message))?.find(message)?;
    (found.start() > 0).then_some(at + found.start())
}

/// Whether a line reports a step: by a mark that turns, or by the first words of its message.
pub(super) fn is_step(line: &str, message: &str) -> bool {
    is_spinner(line.trim_start()) || STEP_WORDS.iter().any(|word| message.starts_with(word))
}

/// Whether a text begins with `word: `.
fn is_word_and_colon(text: &str) -> bool {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_lowercase() || c == '_');
    rest.len() < text.len() && rest.starts_with(": ")
}

/// Whether a line shows the progress of a step, with a mark that turns.
pub(super) fn is_spinner(line: &str) -> bool {
    line.starts_with(|c| matches!(c, '\u{2800}'..='\u{28ff}'))
        || line.strip_prefix(['|', '/', '\\', '-']).is_some_and(|rest| rest.starts_with(' '))
}

impl<'t> Report<'t> {
    pub(super) fn read(error: &'t str) -> Self {
        let mut report = Self::default();
        let one_line = !error.contains('\n');
        for line in error.split(['\n', '\r']).flat_map(|line| split_bars(line, one_line)) {
            let text = line.trim();
            if text == "---" {
                continue;
            }
            if let Some(rest) = text.strip_prefix("exit_code=") {
                report.read_head(rest);
                continue;
            }
            report.read_handler(text);
            report.lines.extend(Line::new(line));
        }
        report
    }

    /// Parses `[ERROR] in line 42: exit code 100: while executing command x`. The code was 0 for long.
    fn read_handler(&mut self, line: &'t str) {
        if !is_handler(line) {
            return;
        }
        self.command = self.command.or(handled_command(line));
        let code = line.split_once("exit code ").map(|(_, code)| {
            code.split(|c: char| !c.is_ascii_digit()).next().and_then(|code| code.parse().ok())
        });
        self.exit_code = self.exit_code.or(code.flatten().filter(|code| *code != 0));
    }

    /// Parses `100 | APT: Package manager error | at line 57: command`.
    fn read_head(&mut self, rest: &'t str) {
        let (code, text) = rest.split_once('|').unwrap_or((rest, ""));
        self.exit_code = self.exit_code.or(code.trim().parse().ok());
        let (text, place) = text.split_once("| at line ").unwrap_or((text, ""));
        self.explanation = Some(text.trim()).filter(|text| !text.is_empty());
        let command = place.split_once(':').map(|(_, command)| command.trim());
        self.command = command.filter(|command| !command.is_empty()).or(self.command);
    }
}

/// Whether a line is one that the scripts' error handler writes. It names only the command.
pub(super) fn is_handler(line: &str) -> bool {
    line.contains("while executing command")
        || line.contains("Unknown failure occur")
        || (line.contains("in line ") && line.contains(": exit code "))
}

/// The command in the error handler's line.
pub(super) fn handled_command(line: &str) -> Option<&str> {
    let (_, command) = line.split_once("while executing command")?;
    Some(command.trim()).filter(|command| !command.is_empty())
}

/// Splits a line at `|`, which clients of generation 2 send instead of newlines. A text with real newlines is not
/// split, nor is a single line in which every `|` stands between blanks, as in a command.
fn split_bars(line: &str, one_line: bool) -> impl Iterator<Item = &str> {
    let (head, rest) = line.split_once("|---|").unwrap_or(("", line));
    let are_breaks =
        || !line.starts_with("exit_code=") && line.matches('|').count() > line.matches(" | ").count().max(1);
    let bars = one_line && (!head.is_empty() || are_breaks());
    [head].into_iter().chain(rest.split(if bars { '|' } else { '\n' }))
}
