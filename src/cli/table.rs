//! Rows below their headings, columns aligned. On a terminal the widest text is cut until a line fits; elsewhere nothing
//! is. Called by lists; it never cuts an id, which people copy.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::output;

/// What stands between two columns.
const GAP: usize = 2;
/// No column is cut below this.
const NARROWEST: usize = 8;

/// Prints a table.
pub(super) fn table(headings: &[&str], rows: &[Vec<String>]) {
    lines(headings, rows, columns_of_the_terminal()).iter().for_each(|line| output::print(line));
}

/// How many columns the terminal has; nothing when standard output is none.
fn columns_of_the_terminal() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}

fn lines(headings: &[&str], rows: &[Vec<String>], room: Option<usize>) -> Vec<String> {
    let mut widths: Vec<usize> = (0..headings.len())
        .map(|column| {
            let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width());
            cells.chain([headings[column].width()]).max().unwrap_or(0)
        })
        .collect();
    if let Some(room) = room {
        let is_id = |column: usize| matches!(headings[column], "id" | "sha");
        while widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1) > room {
            let widest = (0..widths.len()).filter(|column| !is_id(*column)).max_by_key(|column| widths[*column]);
            match widest {
                Some(column) if widths[column] > NARROWEST => widths[column] -= 1,
                _ => break,
            }
        }
    }
    let line = |cells: Vec<String>| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| padded(cell, *width));
        padded.collect::<Vec<_>>().join(&" ".repeat(GAP)).trim_end().to_owned()
    };
    let heads = headings.iter().map(|heading| heading.to_uppercase()).collect();
    std::iter::once(heads).chain(rows.iter().cloned()).map(line).collect()
}

/// Exactly so wide; what is cut off is told by `…`.
fn padded(cell: &str, width: usize) -> String {
    let mut text = cell.to_owned();
    if cell.width() > width {
        text.clear();
        let mut taken = 0;
        for character in cell.chars() {
            let more = character.width().unwrap_or(0);
            if taken + more + 1 > width {
                break;
            }
            (taken, text) = (taken + more, text + character.encode_utf8(&mut [0; 4]));
        }
        text.push('…');
    }
    let missing = width.saturating_sub(text.width());
    text + &" ".repeat(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[&str]) -> Vec<String> {
        cells.iter().map(|cell| (*cell).to_owned()).collect()
    }

    #[test]
    fn columns_line_up_when_characters_are_two_columns_wide() {
        let rows = [row(&["日本語", "x"]), row(&["plain", "y"]), row(&["e\u{301}", "z"])];
        let lines = lines(&["name", "what"], &rows, None);
        assert_eq!(lines, ["NAME    WHAT", "日本語  x", "plain   y", "e\u{301}       z"]);
    }

    #[test]
    fn on_a_terminal_the_widest_text_is_cut_and_an_id_never_is() {
        let id = "0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
        let rows = [row(&[id, "a name that is longer than the room there is", "ok"])];
        let cut = lines(&["id", "name", "state"], &rows, Some(60));
        assert!(cut.iter().all(|line| line.width() <= 60), "{cut:?}");
        assert_eq!(cut[1], format!("{id}  a name that is…  ok"));
        // Two columns wide: none is cut in half.
        let wide = lines(&["name", "n"], &[row(&["日本語日本語日本語", "1"])], Some(12));
        assert!(wide.iter().all(|line| line.width() <= 12), "{wide:?}");
        // Nothing is cut where no person looks.
        assert!(lines(&["id", "name", "state"], &rows, None)[1].contains("longer than the room there is"));
        // A terminal that is too narrow for all: nothing is cut to nothing.
        assert!(lines(&["id", "name", "state"], &rows, Some(5))[1].starts_with(id));
    }
}
