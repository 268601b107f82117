//! The confusion matrix as a picture: SVG, since that has words.

use std::fmt::Write;

/// Of a cell, in pixels.
const SIDE: usize = 26;

/// About the width of a letter.
const LETTER: usize = 7;

/// A row for each class, its pictures shared among the columns of what they were taken for; darker is more of the row.
pub(super) fn svg(labels: &[&str], confusion: &[Vec<usize>]) -> String {
    let margin = LETTER
        * labels
            .iter()
            .map(|label| label.chars().count())
            .max()
            .unwrap_or(0)
        + 12;
    let size = margin + SIDE * labels.len() + 8;
    let mut svg = format!(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {size} {size}' width='{size}' height='{size}' \
         font-family='sans-serif' font-size='11'>\n<rect width='100%' height='100%' fill='white'/>\n"
    );
    for (at, (label, row)) in labels.iter().zip(confusion).enumerate() {
        let (start, middle) = (margin + SIDE * at, margin + SIDE * at + SIDE / 2 + 4);
        let (label, edge) = (escape(label), margin - 6);
        // Writing to a string cannot fail.
        let _ = writeln!(
            svg,
            "<text x='{edge}' y='{middle}' text-anchor='end'>{label}</text>"
        );
        let _ = writeln!(
            svg,
            "<text transform='translate({middle} {edge}) rotate(-90)'>{label}</text>"
        );
        let all = row.iter().sum::<usize>().max(1) as f64;
        for (column, count) in row.iter().enumerate().filter(|(_, count)| **count > 0) {
            let left = margin + SIDE * column;
            let share = *count as f64 / all;
            let ink = if share > 0.5 { "white" } else { "black" };
            let _ = writeln!(
                svg,
                "<rect x='{left}' y='{start}' width='{SIDE}' height='{SIDE}' fill='#246' fill-opacity='{:.3}'/>\
                 <text x='{}' y='{middle}' text-anchor='middle' fill='{ink}'>{count}</text>",
                0.08 + 0.92 * share,
                left + SIDE / 2
            );
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_count_stands_in_its_cell() {
        let svg = svg(&["a<b", "c"], &[vec![3, 1], vec![0, 12]]);
        assert_eq!(svg.matches("<rect x=").count(), 3, "{svg}");
        for text in [">a&lt;b<", ">3<", ">1<", ">12<", "fill-opacity='1.000'"] {
            assert!(svg.contains(text), "no {text} in {svg}");
        }
    }
}
