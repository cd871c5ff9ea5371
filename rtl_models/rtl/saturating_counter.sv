// SPDX-License-Identifier: Apache-2.0

/// Adds up amounts and stops at its largest value.
module saturating_counter #(
  /// Bits of an amount, at most `Width`.
  parameter int unsigned AmountWidth = 1,
  /// Bits of the count.
  parameter int unsigned Width = 32
) (
  /// Clock.
  input  logic                   clk_i,
  /// Asynchronous reset, active low.
  input  logic                   rst_ni,
  /// High to begin at 0 again.
  input  logic                   clear_i,
  /// What is added in this cycle.
  input  logic [AmountWidth-1:0] amount_i,
  /// The count.
  output logic [Width-1:0]       count_o
);

  logic [Width:0] sum;
  logic [Width-1:0] count_q;

  assign sum = {1'b0, count_q} + (Width + 1)'(amount_i);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      count_q <= Width'(0);
    end else if (clear_i) begin
      count_q <= Width'(0);
    end else begin
      count_q <= sum[Width] ? ~Width'(0) : sum[Width-1:0];
    end
  end

  assign count_o = count_q;

endmodule
