// SPDX-License-Identifier: Apache-2.0

/// Adds up the beats of a row, with overflow applied once a beat, on the exact value, and counts
/// the beats that overflowed.
///
/// The row's total is offered in the cycle after its last beat was taken.
module row_accumulator
  import bittrue_pkg::*;
#(
  /// Bits of a beat, signed.
  parameter int unsigned BeatWidth = 20,
  /// Bits of the accumulator, signed.
  parameter int unsigned AccumulatorWidth = 32,
  /// What it does past its ends.
  parameter overflow_e AccumulatorOverflow = SAT,
  /// Bits of the count of overflows; it stops at its largest value.
  parameter int unsigned CountWidth = 16
) (
  /// Clock.
  input  logic                               clk_i,
  /// Asynchronous reset, active low: the next beat is the first of a row.
  input  logic                               rst_ni,
  /// High to move on.
  input  logic                               enable_i,
  /// High with a beat.
  input  logic                               valid_i,
  /// High with the last beat of a row.
  input  logic                               last_i,
  /// The beat.
  input  logic signed [BeatWidth-1:0]        beat_i,
  /// The accumulator.
  output logic signed [AccumulatorWidth-1:0] sum_o,
  /// Beats of the row that overflowed.
  output logic [CountWidth-1:0]              count_o,
  /// High when they are those of a whole row.
  output logic                               valid_o
);

  localparam int unsigned ExactWidth = larger(BeatWidth, AccumulatorWidth) + 1;

  logic first_q, valid_q, overflows;
  logic signed [AccumulatorWidth-1:0] base, sum_d, sum_q;
  logic signed [ExactWidth-1:0] exact;
  logic [CountWidth-1:0] count_base, count_d, count_q;

  assign base = first_q ? $signed(AccumulatorWidth'(0)) : sum_q;
  assign exact = ExactWidth'(base) + ExactWidth'(beat_i);

  saturate #(
    .InputWidth (ExactWidth),
    .OutputWidth(AccumulatorWidth),
    .Overflow   (AccumulatorOverflow)
  ) u_overflow (
    .value_i   (exact),
    .value_o   (sum_d),
    .overflow_o(overflows)
  );

  assign count_base = first_q ? CountWidth'(0) : count_q;
  assign count_d = count_base + CountWidth'(overflows & ~&count_base);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      first_q <= 1'b1;
      valid_q <= 1'b0;
      sum_q   <= AccumulatorWidth'(0);
      count_q <= CountWidth'(0);
    end else if (enable_i) begin
      valid_q <= valid_i & last_i;
      if (valid_i) begin
        first_q <= last_i;
        sum_q   <= sum_d;
        count_q <= count_d;
      end
    end
  end

  assign sum_o = sum_q;
  assign count_o = count_q;
  assign valid_o = valid_q;

endmodule
