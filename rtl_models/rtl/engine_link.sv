// SPDX-License-Identifier: Apache-2.0

/// The link of the training engine: one of the three link units behind one set of ports.
module engine_link
  import bittrue_pkg::*;
#(
  /// Which link.
  parameter link_e Link = AFFINE,
  /// Bits of the dot product and of the offset, signed.
  parameter int unsigned AccumulatorWidth = 32,
  /// Bits of the coefficient, signed.
  parameter int unsigned CoefficientWidth = 16,
  /// Rounding of the coefficient, any but TRN_MAG; a stochastic one takes 32 random bits.
  parameter rounding_e CoefficientRounding = TIES_EVEN,
  /// What the coefficient does past its ends.
  parameter overflow_e CoefficientOverflow = SAT,
  /// Bits of the scale registers, unsigned.
  parameter int unsigned MultiplierWidth = 16,
  /// Bits of a slope of the centred table, unsigned.
  parameter int unsigned SlopeWidth = 12,
  /// Bits of the absolute table's values and of the target, signed.
  parameter int unsigned TableWidth = 16,
  /// Bits of the table index, signed.
  parameter int unsigned IndexWidth = 4,
  /// Bits of the margin index.
  parameter int unsigned GridWidth = 4,
  /// Largest shift.
  parameter int unsigned MaxShift = 62,
  /// Dependent, do not change: bits of a shift and of a record.
  localparam int unsigned ShiftWidth = index_width(MaxShift + 1),
  localparam int unsigned RecordWidth = record_width(Link, AccumulatorWidth, GridWidth, TableWidth)
) (
  /// Clock.
  input  logic                        clk_i,
  /// Asynchronous reset, active low.
  input  logic                        rst_ni,
  /// Scale register of the coefficient.
  input  logic [MultiplierWidth-1:0]  multiplier_i,
  /// Its shift.
  input  logic [ShiftWidth-1:0]       shift_i,
  /// Scale register of the table index.
  input  logic [MultiplierWidth-1:0]  index_multiplier_i,
  /// Its shift.
  input  logic [ShiftWidth-1:0]       index_shift_i,
  /// High to write an entry of the table.
  input  logic                        table_write_i,
  /// Its address.
  input  logic [WindowWidth-1:0]      table_address_i,
  /// The entry.
  input  logic [31:0]                 table_data_i,
  /// Random word of a stochastic rounding.
  input  logic [31:0]                 random_i,
  /// High if it is used.
  output logic                        random_next_o,
  /// Dot product t.
  input  logic [AccumulatorWidth-1:0] s_axis_tdata,
  /// Record of the sample.
  input  logic [RecordWidth-1:0]      s_axis_tuser,
  /// High while a dot product is offered.
  input  logic                        s_axis_tvalid,
  /// High when it is taken.
  output logic                        s_axis_tready,
  /// Coefficient c.
  output logic [CoefficientWidth-1:0] m_axis_tdata,
  /// From the low end: the coefficient overflowed, the index overflowed, the index (0 if affine).
  output logic [IndexWidth+1:0]       m_axis_tuser,
  /// High while a coefficient is offered.
  output logic                        m_axis_tvalid,
  /// High when it is taken.
  input  logic                        m_axis_tready
);

  localparam int unsigned AddressWidth = table_address_width(Link, IndexWidth, GridWidth);

  if (AddressWidth > WindowWidth) begin : gen_refuse_table
    $error(
        "engine_link IndexWidth + GridWidth: got %0d; allowed: to %0d", AddressWidth, WindowWidth
    );
  end

  if (Link == AFFINE) begin : gen_affine
    link_affine #(
      .AccumulatorWidth   (AccumulatorWidth),
      .CoefficientWidth   (CoefficientWidth),
      .CoefficientRounding(CoefficientRounding),
      .CoefficientOverflow(CoefficientOverflow),
      .MultiplierWidth    (MultiplierWidth),
      .MaxShift           (MaxShift)
    ) u_link (
      .clk_i,
      .rst_ni,
      .multiplier_i,
      .shift_i,
      .random_i,
      .random_next_o,
      .s_axis_tdata,
      .s_axis_tuser,
      .s_axis_tvalid,
      .s_axis_tready,
      .m_axis_tdata,
      .m_axis_tuser (m_axis_tuser[0]),
      .m_axis_tvalid,
      .m_axis_tready
    );

    logic unused;
    assign m_axis_tuser[IndexWidth+1:1] = (IndexWidth + 1)'(0);
    assign unused = ^{
      index_multiplier_i, index_shift_i, table_write_i, table_address_i, table_data_i
    };
  end else if (Link == CENTRED_TABLE) begin : gen_centred_table
    link_centred_table #(
      .AccumulatorWidth   (AccumulatorWidth),
      .CoefficientWidth   (CoefficientWidth),
      .CoefficientRounding(CoefficientRounding),
      .CoefficientOverflow(CoefficientOverflow),
      .MultiplierWidth    (MultiplierWidth),
      .SlopeWidth         (SlopeWidth),
      .IndexWidth         (IndexWidth),
      .GridWidth          (GridWidth),
      .MaxShift           (MaxShift)
    ) u_link (
      .clk_i,
      .rst_ni,
      .shift_i,
      .index_multiplier_i,
      .index_shift_i,
      .table_write_i,
      .table_address_i(table_address_i[AddressWidth-1:0]),
      .table_data_i   (table_data_i[SlopeWidth-1:0]),
      .random_i,
      .random_next_o,
      .s_axis_tdata,
      .s_axis_tuser,
      .s_axis_tvalid,
      .s_axis_tready,
      .m_axis_tdata,
      .m_axis_tuser,
      .m_axis_tvalid,
      .m_axis_tready
    );

    logic unused;
    assign unused = ^{multiplier_i, table_address_i, table_data_i};
  end else begin : gen_absolute_table
    link_absolute_table #(
      .AccumulatorWidth   (AccumulatorWidth),
      .CoefficientWidth   (CoefficientWidth),
      .CoefficientRounding(CoefficientRounding),
      .CoefficientOverflow(CoefficientOverflow),
      .MultiplierWidth    (MultiplierWidth),
      .TableWidth         (TableWidth),
      .IndexWidth         (IndexWidth),
      .MaxShift           (MaxShift)
    ) u_link (
      .clk_i,
      .rst_ni,
      .multiplier_i,
      .shift_i,
      .index_multiplier_i,
      .index_shift_i,
      .table_write_i,
      .table_address_i(table_address_i[AddressWidth-1:0]),
      .table_data_i   (table_data_i[TableWidth-1:0]),
      .random_i,
      .random_next_o,
      .s_axis_tdata,
      .s_axis_tuser,
      .s_axis_tvalid,
      .s_axis_tready,
      .m_axis_tdata,
      .m_axis_tuser,
      .m_axis_tvalid,
      .m_axis_tready
    );

    logic unused;
    assign unused = ^{table_address_i, table_data_i};
  end

endmodule
