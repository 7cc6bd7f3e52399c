# frozen_string_literal: true

require 'cgi/escape'

module Comparison
  # A text with tables and pictures, to be had as Markdown and as HTML.
  #
  # @example
  #   document = Document.new('Report')
  #   document.paragraph('All is well.').table(%w[door rate], [%w[off 5.2]])
  #   document.to_markdown # => "# Report\n\nAll is well.\n…"
  class Document
    STYLE = <<~CSS
      body { font: 16px/1.5 sans-serif; max-width: 62em; margin: 2em auto; padding: 0 1em; color: #222; background: #fff }
      table { border-collapse: collapse; margin: 1em 0; font-size: 14px }
      th, td { border: 1px solid #ccc; padding: .25em .6em; text-align: right }
      th:first-child, td:first-child { text-align: left }
      img { max-width: 100%; border: 1px solid #eee }
      .verdict { background: #f4f6f8; border-left: 4px solid #2b6cb0; padding: .8em 1em }
    CSS
    private_constant :STYLE

    # @param title [String]
    def initialize(title)
      @title = title
      @blocks = []
    end

    # @param kind [Symbol, nil] :verdict, to be seen first
    # @return [self]
    def paragraph(text, kind = nil)
      add([:paragraph, text, kind])
    end

    # @return [self]
    def heading(text, level = 2)
      add([:heading, text, level])
    end

    # @param head [Array<String>]
    # @param rows [Array<Array<String>>]
    # @return [self]
    def table(head, rows)
      add([:table, head, rows])
    end

    # @return [self]
    def list(items)
      add([:list, items])
    end

    # @param file [String] beside the document
    # @param about [String] for those who do not see it
    # @return [self]
    def picture(file, about)
      add([:picture, file, about])
    end

    # @return [String]
    def to_markdown
      "# #{@title}\n\n#{@blocks.map { |kind, *rest| send("markdown_#{kind}", *rest) }.join("\n\n")}\n"
    end

    # @return [String]
    def to_html
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>#{escape(@title)}</title>\n" \
        "<style>\n#{STYLE}</style></head><body>\n<h1>#{escape(@title)}</h1>\n" \
        "#{@blocks.map { |kind, *rest| send("html_#{kind}", *rest) }.join("\n")}\n</body></html>\n"
    end

    private

    def add(block)
      @blocks << block
      self
    end

    def escape(text)
      CGI.escapeHTML(text)
    end

    def markdown_paragraph(text, kind)
      kind ? "> #{text}" : text
    end

    def markdown_heading(text, level)
      "#{'#' * level} #{text}"
    end

    def markdown_table(head, rows)
      line = ->(cells) { "| #{cells.map { |cell| cell.gsub('|', '\\|') }.join(' | ')} |" }
      [line.call(head), line.call(['---', *['---:'] * (head.size - 1)]), *rows.map(&line)].join("\n")
    end

    def markdown_list(items)
      items.map { |item| "- #{item}" }.join("\n")
    end

    def markdown_picture(file, about)
      "![#{about}](#{file})"
    end

    def html_paragraph(text, kind)
      "<p#{" class=\"#{kind}\"" if kind}>#{escape(text)}</p>"
    end

    def html_heading(text, level)
      "<h#{level}>#{escape(text)}</h#{level}>"
    end

    def html_table(head, rows)
      row = ->(cells, tag) { "<tr>#{cells.map { |cell| "<#{tag}>#{escape(cell)}</#{tag}>" }.join}</tr>" }
      "<table>\n#{row.call(head, 'th')}\n#{rows.map { |cells| row.call(cells, 'td') }.join("\n")}\n</table>"
    end

    def html_list(items)
      "<ul>\n#{items.map { |item| "<li>#{escape(item)}</li>" }.join("\n")}\n</ul>"
    end

    def html_picture(file, about)
      "<p><img src=\"#{escape(file)}\" alt=\"#{escape(about)}\"></p>"
    end
  end
end
