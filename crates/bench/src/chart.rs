//! Draws the ratios as bars.

use std::path::Path;

use plotters::backend::SVGBackend;
use plotters::chart::ChartBuilder;
use plotters::coord::Shift;
use plotters::coord::combinators::IntoLogRange;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::{PathElement, Rectangle, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{BLACK, Color, IntoFont, RGBColor, ShapeStyle, TextStyle, WHITE};

use crate::report::{self, Row};
use crate::suite::{Case, Figure, Suite};

const COLOURS: [RGBColor; 4] = [
    RGBColor(31, 119, 180),
    RGBColor(255, 127, 14),
    RGBColor(150, 150, 150),
    RGBColor(44, 160, 44),
];
const GOAL: RGBColor = RGBColor(214, 39, 40);
const WIDTH: u32 = 1_000;
const NAMES: u32 = 190;
const BAR: u32 = 14;
const TOP: u32 = 64;
const BOTTOM: u32 = 30;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// A peer in a case: one bar in each panel.
struct Bar {
    peer: usize,
    cpu: Length,
    wall: Length,
}

/// A ratio, and the ratio to reach.
#[derive(Clone, Copy)]
struct Length {
    ratio: f64,
    goal: Option<f64>,
}

/// Draws a group of a suite: for each case and peer how many times as much as polycloud it needs, in
/// processor time on the left and in elapsed time on the right.
pub(crate) fn draw(
    path: &Path,
    suite: &Suite,
    group: &str,
    cases: &[&Case],
    rows: &[Row],
) -> anyhow::Result<()> {
    let cases = cases.iter().filter(|case| case.group == group);
    let lines: Vec<_> = cases.map(|case| line(suite, case, rows)).collect();
    let slots: usize = lines.iter().map(|(_, bars)| bars.len() + 1).sum();
    let height = TOP + BOTTOM + BAR * u32::try_from(slots)?;
    let root = SVGBackend::new(path, (WIDTH, height)).into_drawing_area();
    root.fill(&WHITE)?;
    legend(&root, suite, &lines)?;
    let (names, panels) = root.split_horizontally(NAMES);
    name_lines(&names, &lines)?;
    let (left, right) = panels.split_horizontally((WIDTH - NAMES) / 2);
    panel(&left, "CPU time", &lines, slots, |bar| bar.cpu)?;
    panel(&right, "elapsed time", &lines, slots, |bar| bar.wall)?;
    root.present()?;
    Ok(())
}

type Line = (String, Vec<Bar>);

fn line(suite: &Suite, case: &Case, rows: &[Row]) -> Line {
    let bar = |(number, peer): (usize, &&str)| {
        let length = |figure| {
            let ratio = report::ratio(case, peer, figure, rows)?;
            Some(Length { ratio, goal: case.goal(peer, figure) })
        };
        Some(Bar { peer: number, cpu: length(Figure::Cpu)?, wall: length(Figure::Wall)? })
    };
    let bars = suite.peers.iter().enumerate().filter_map(bar).collect();
    (format!("{} × {}", case.op, case.tasks), bars)
}

fn style(size: u32, horizontal: HPos) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&BLACK).pos(Pos::new(horizontal, VPos::Center))
}

fn colour(peer: usize) -> ShapeStyle {
    COLOURS.get(peer).unwrap_or(&BLACK).filled()
}

fn legend(root: &Area<'_>, suite: &Suite, lines: &[Line]) -> anyhow::Result<()> {
    let title = "times as much as polycloud needs (longer is better for polycloud):";
    root.draw(&Text::new(title, (10, 16), style(14, HPos::Left)))?;
    let takes_part = |peer| lines.iter().any(|(_, bars)| bars.iter().any(|bar| bar.peer == peer));
    let mut x = 460;
    for (number, peer) in suite.peers.iter().enumerate().filter(|(number, _)| takes_part(*number)) {
        root.draw(&Rectangle::new([(x, 10), (x + 12, 22)], colour(number)))?;
        root.draw(&Text::new(*peer, (x + 18, 16), style(14, HPos::Left)))?;
        x += 110;
    }
    let has_goal = |bar: &Bar| bar.cpu.goal.or(bar.wall.goal).is_some();
    if lines.iter().any(|(_, bars)| bars.iter().any(has_goal)) {
        root.draw(&PathElement::new([(x, 9), (x, 23)], GOAL.stroke_width(2)))?;
        root.draw(&Text::new("the bar to clear", (x + 8, 16), style(14, HPos::Left)))?;
    }
    Ok(())
}

fn name_lines(area: &Area<'_>, lines: &[Line]) -> anyhow::Result<()> {
    let mut slot = 0;
    for (name, bars) in lines {
        let count = u32::try_from(bars.len())?;
        let middle = i32::try_from(TOP + BAR * slot + BAR * (count + 1) / 2)?;
        let right = i32::try_from(NAMES - 10)?;
        area.draw(&Text::new(name.as_str(), (right, middle), style(13, HPos::Right)))?;
        slot += count + 1;
    }
    Ok(())
}

fn panel(
    area: &Area<'_>,
    title: &str,
    lines: &[Line],
    slots: usize,
    figure: fn(&Bar) -> Length,
) -> anyhow::Result<()> {
    let all = || lines.iter().flat_map(|(_, bars)| bars).map(|bar| figure(bar).ratio);
    let (least, most) = (all().fold(0.5, f64::min), all().fold(2.0, f64::max));
    area.draw(&Text::new(title, (10, 46), style(14, HPos::Left)))?;
    let mut chart = ChartBuilder::on(area)
        .margin_right(60)
        .margin_top(TOP)
        .x_label_area_size(BOTTOM)
        .build_cartesian_2d((least * 0.9..most * 1.1).log_scale().base(2.0), 0.0..slots as f64)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .x_labels(8)
        .x_label_formatter(&|x| format!("{x}×"))
        .x_label_style(style(12, HPos::Center))
        .light_line_style(BLACK.mix(0.05))
        .bold_line_style(BLACK.mix(0.15))
        .draw()?;
    let plot = chart.plotting_area();
    let mut slot = slots as f64 - 0.5;
    for (_, bars) in lines {
        for bar in bars {
            let Length { ratio, goal } = figure(bar);
            let corners = [(1.0, slot), (ratio, slot - 0.85)];
            plot.draw(&Rectangle::new(corners, colour(bar.peer)))?;
            if let Some(goal) = goal {
                let mark = [(goal, slot + 0.05), (goal, slot - 0.9)];
                plot.draw(&PathElement::new(mark, GOAL.stroke_width(2)))?;
            }
            let label = (ratio.max(1.0), slot - 0.45);
            let text = format!(" {ratio:.1}");
            plot.draw(&Text::new(text, label, style(11, HPos::Left)))?;
            slot -= 1.0;
        }
        slot -= 1.0;
    }
    plot.draw(&PathElement::new([(1.0, 0.0), (1.0, slots as f64)], BLACK.stroke_width(1)))?;
    Ok(())
}
