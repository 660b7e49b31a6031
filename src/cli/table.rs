//! Rows below their headings, columns aligned. On a terminal lines fit: ids become as short as tells them from each other,
//! the widest text is cut, and columns at the end for which there is no room are left out. Elsewhere nothing is cut. Called
//! by lists, which put the columns that matter first; it never cuts a name of a commit, a state or a time.

use std::collections::BTreeSet;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::output;

/// What stands between two columns.
const GAP: usize = 2;
/// No column is cut below this.
const NARROWEST: usize = 8;
/// No id is made shorter than this.
const SHORTEST_ID: usize = 8;

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
    let mut rows = rows.to_vec();
    if let Some(room) = room {
        let fits = |widths: &[usize]| widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1) <= room;
        if let Some(column) = headings.iter().position(|heading| *heading == "id").filter(|_| !fits(&widths)) {
            widths[column] = shorten(&mut rows, column).max(headings[column].width());
        }
        while !fits(&widths) {
            let cut = (0..widths.len()).filter(|column| !is_whole(headings[*column]));
            match cut.max_by_key(|column| widths[*column]) {
                Some(column) if widths[column] > NARROWEST => widths[column] -= 1,
                // What is at the end matters least.
                _ if widths.len() > 1 => drop(widths.pop()),
                _ => break,
            }
        }
    }
    let line = |cells: Vec<String>| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| padded(cell, *width));
        padded.collect::<Vec<_>>().join(&" ".repeat(GAP)).trim_end().to_owned()
    };
    let heads = headings.iter().map(|heading| heading.to_uppercase()).collect();
    std::iter::once(heads).chain(rows).map(line).collect()
}

/// What is cut says nothing any more, or what can be copied no more.
fn is_whole(heading: &str) -> bool {
    matches!(heading, "id" | "sha" | "key" | "date" | "state" | "status" | "version" | "position")
        || heading.ends_with(" at")
}

/// Leaves of the ids what tells each from the others of this table: how wide they are now. Commands take the beginning of an
/// id for the whole one.
fn shorten(rows: &mut [Vec<String>], column: usize) -> usize {
    let ids: Vec<String> = rows.iter().map(|row| row[column].clone()).collect();
    let all_differ = |length: usize| {
        let beginnings: BTreeSet<_> = ids.iter().map(|id| id.get(..length).unwrap_or(id)).collect();
        beginnings.len() == ids.iter().collect::<BTreeSet<_>>().len()
    };
    let longest = ids.iter().map(String::len).max().unwrap_or(0);
    // A beginning of an operation's id has its kind in it.
    let kind = ids.iter().filter_map(|id| id.rfind('.')).max().map_or(0, |dot| dot + 1);
    let length = (kind + SHORTEST_ID..longest).find(|length| all_differ(*length)).unwrap_or(longest);
    for (row, id) in rows.iter_mut().zip(&ids) {
        row[column] = id.get(..length).unwrap_or(id).trim_end_matches('-').to_owned();
    }
    rows.iter().map(|row| row[column].width()).max().unwrap_or(0)
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
    fn on_a_terminal_ids_are_shortened_first_and_then_the_widest_text_is_cut() {
        let (one, two) = ("0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b", "0199a1b2-c3d5-7e5f-8a9b-0c1d2e3f4a5b");
        let name = "a name that is longer than the room there is";
        let rows = [row(&[one, name, "ok"]), row(&[two, "b", "ok"])];
        let cut = lines(&["id", "name", "state"], &rows, Some(40));
        assert!(cut.iter().all(|line| line.width() <= 40), "{cut:?}");
        assert!(cut[1].starts_with("0199a1b2-c3d4  a name") && cut[1].ends_with("…  ok"), "{cut:?}");
        // Where there is room nothing is changed.
        assert_eq!(lines(&["id", "name", "state"], &rows, Some(100))[1], format!("{one}  {name}  ok"));
        // Two columns wide: none is cut in half.
        let wide = lines(&["name", "n"], &[row(&["日本語日本語日本語", "1"])], Some(12));
        assert!(wide.iter().all(|line| line.width() <= 12), "{wide:?}");
        // Nothing is cut where no person looks.
        assert!(lines(&["id", "name", "state"], &rows, None)[1].contains("longer than the room there is"));
    }

    #[test]
    fn states_and_times_are_whole_at_eighty_columns_and_what_matters_least_is_left_out() {
        let headings = ["id", "name", "role", "state", "expires at", "used at", "begins with", "only for"];
        let of = |id: &str| {
            let cells = [id, "a laptop with a name", "auditor", "expired", "2026-11-21 23:42", "2026-11-20 08:00"];
            row(&[&cells[..], &["kt_1234567", "issues:read events:read"]].concat())
        };
        let rows = ["0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b", "0199a1b2-c3d5-7e5f-8a9b-0c1d2e3f4a5b"].map(of);
        let cut = lines(&headings, &rows, Some(80));
        assert!(cut.iter().all(|line| line.width() <= 80), "{cut:?}");
        assert!(cut[1].contains("  expired  2026-11-21 23:42  2026-11-20 08:00"), "{cut:?}");
        assert!(!cut[0].contains("ONLY FOR") && cut[0].contains("USED AT"), "{cut:?}");
        // A terminal that is too narrow for all: the first column is there.
        assert!(lines(&headings, &rows, Some(5))[1].starts_with("0199a1b2-c3d4"));
    }
}
