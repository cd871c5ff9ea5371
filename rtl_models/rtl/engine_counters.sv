// SPDX-License-Identifier: Apache-2.0

/// Overflows of the training engine by stage, each count stopping at its largest value.
///
/// Lanes are added up in a tree with registers: counts are complete
/// bittrue_pkg::engine_counters_latency(Lanes) cycles behind the last flag.
module engine_counters
  import bittrue_pkg::*;
#(
  /// Columns a beat.
  parameter int unsigned Lanes = 16,
  /// Bits of a row's count of accumulator overflows.
  parameter int unsigned CountWidth = 16
) (
  /// Clock.
  input  logic                  clk_i,
  /// Asynchronous reset, active low.
  input  logic                  rst_ni,
  /// High to begin at 0 again.
  input  logic                  clear_i,
  /// Beats whose accumulator overflowed.
  input  logic [CountWidth-1:0] accumulator_i,
  /// High for an index that overflowed.
  input  logic                  index_i,
  /// High for a coefficient that overflowed.
  input  logic                  coefficient_i,
  /// Lanes whose increment overflowed.
  input  logic [Lanes-1:0]      increments_i,
  /// Lanes whose model word overflowed.
  input  logic [Lanes-1:0]      models_i,
  /// Counts in the order of the arguments, the first lowest.
  output logic [5*32-1:0]       counts_o
);

  localparam int unsigned SumWidth = 2 + unsigned'($clog2(Lanes));

  saturating_counter #(
    .AmountWidth(CountWidth)
  ) u_accumulator (
    .clk_i,
    .rst_ni,
    .clear_i,
    .amount_i(accumulator_i),
    .count_o (counts_o[0+:32])
  );

  saturating_counter u_index (
    .clk_i,
    .rst_ni,
    .clear_i,
    .amount_i(index_i),
    .count_o (counts_o[32+:32])
  );

  saturating_counter u_coefficient (
    .clk_i,
    .rst_ni,
    .clear_i,
    .amount_i(coefficient_i),
    .count_o (counts_o[64+:32])
  );

  logic [1:0][Lanes-1:0] flags;
  assign flags = {models_i, increments_i};

  for (genvar k = 0; k < 2; k++) begin : gen_lanes
    logic [2*Lanes-1:0] words;
    logic signed [SumWidth-1:0] sum;

    for (genvar j = 0; j < Lanes; j++) begin : gen_lane
      assign words[2*j+:2] = {1'b0, flags[k][j]};
    end

    adder_tree #(
      .Lanes(Lanes),
      .Width(2),
      .LevelsPerStage(DefaultLevels)
    ) u_tree (
      .clk_i,
      .rst_ni,
      .enable_i(1'b1),
      .words_i (words),
      .sum_o   (sum)
    );

    saturating_counter #(
      .AmountWidth(SumWidth)
    ) u_count (
      .clk_i,
      .rst_ni,
      .clear_i,
      .amount_i(sum),
      .count_o (counts_o[32*(3+k)+:32])
    );
  end

endmodule
