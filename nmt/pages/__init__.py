"""Pages to look at: one self-contained HTML file, with charts and heat maps, that needs neither network nor script.

html      elements whose text is escaped by construction
document  the page around them: style, sections, tables
charts    lines, dots with intervals, as inline SVG
axis      what a chart's numbers stand for in pixels, and which of them are named
heat_map  a matrix as an inline PNG
tracks    lines and heat maps over the same named columns
bars      a number a row
text      how much room text takes, on a page and in a terminal
"""
